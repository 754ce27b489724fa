"""Does what a reward model reacts to at step 0 forecast what its policy drifts to?

docs/method.md, "Reactions to edits". Over reward models: Kendall τ and Spearman ρ of the reaction to an edit with the
change of its feature (`features`) from π_0 to the policy. Intervals, p-values and what takes noise off are those of an
outcome (`study.outcomes.prediction`): each reward model left out, prompts of both sides drawn again, reward models
renamed at random. Reward models count as a sample from those that people might train: those that differ in one setting
only are more alike than that, and then the intervals are too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from warehouse.schema import EDITS
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import NOTHING, Floats
from warehouse.stats.correlation import Figure
from warehouse.stats.resampling import Rows, rows_for
from warehouse.study.correlation import Correlation, correlation
from warehouse.study.outcomes.correlated import figures
from warehouse.study.outcomes.outcome import FEWEST
from warehouse.study.reactions.reactions import Reactions

_UNDEFINED = Correlation(value=None, low=None, high=None, replicates=0)


@dataclass(frozen=True)
class Drift:
    """Changes of the features from π_0 to the policies of M reward models on Q RL-test prompts, `[E, M, Q]`."""

    reward_models: tuple[str, ...]
    change_EMQ: Floats


@dataclass(frozen=True)
class Forecast:
    """How well the reaction to one edit forecasts the drift of its feature; `p_value` is corrected for all edits."""

    edit: str
    kendall: Correlation
    spearman: Correlation
    p_value: float | None
    mean_drift: float


@dataclass(frozen=True)
class Forecasts:
    """All five, and the mean of the Kendall τ of the `defined` ones, over these reward models."""

    mean: Correlation
    each: tuple[Forecast, ...]
    defined: int
    reward_models: tuple[str, ...]


def forecasts(reactions: Reactions, drift: Drift, *, replicates: int = 1000, seed: int = 0) -> Forecasts:
    """The forecasts of one optimiser's policies; undefined below `FEWEST` reward models that have both."""
    names = tuple(name for name in drift.reward_models if name in reactions.reward_models)
    change_EKP = reactions.of_reward_models(names).change_EMP
    drift_EKQ = drift.change_EMQ[:, [drift.reward_models.index(name) for name in names]]
    mean_drift_E = drift_EKQ.mean(axis=(1, 2)) if names else np.zeros(len(EDITS))
    K = len(names)
    if K < FEWEST:
        each = tuple(
            Forecast(edit, _UNDEFINED, _UNDEFINED, p_value=None, mean_drift=float(drifts))
            for edit, drifts in zip(EDITS, mean_drift_E, strict=True)
        )
        return Forecasts(_UNDEFINED, each, 0, names)
    rows = rows_for((True,) * K, (True,) * K, replicates, seed)
    taus: list[Figure] = []
    kendalls, spearmans = [], []
    for change_KP, drift_KQ in zip(change_EKP, drift_EKQ, strict=True):
        reaction_BK = _altered(change_KP, rows, rows.rm_scale, seed=seed, stream=bootstrap.RM_PROMPTS)
        drift_BK = _altered(drift_KQ, rows, rows.rl_scale, seed=seed, stream=bootstrap.RL_PROMPTS)
        drift_BK = np.take_along_axis(drift_BK, rows.order, axis=1)
        of_edit = figures(reaction_BK, np.ones(reaction_BK.shape, dtype=bool), drift_BK, rows)
        taus.append(of_edit["kendall"])
        kendalls.append(correlation(rows, "kendall", of_edit["kendall"], 1.0, NOTHING))
        spearmans.append(correlation(rows, "spearman", of_edit["spearman"], 1.0, NOTHING))
    p_values = holm([tau.p_value for tau in kendalls])
    each = tuple(
        Forecast(edit, tau, rho, p_value, float(drifts))
        for edit, tau, rho, p_value, drifts in zip(EDITS, kendalls, spearmans, p_values, mean_drift_E, strict=True)
    )
    defined = [tau for tau in taus if tau[1][0]]
    return Forecasts(correlation(rows, "kendall", _mean(defined, rows), 1.0, NOTHING), each, len(defined), names)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p-values corrected for all that are defined (Holm 1979): the smallest times their number, and so on."""
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    least = 0.0
    for number, (p, place) in enumerate(known):
        least = max(least, min(1.0, (len(known) - number) * p))
        adjusted[place] = least
    return adjusted


def _altered(values_KP: Floats, rows: Rows, scale: Floats, *, seed: int, stream: int) -> Floats:
    """Means over prompts in every altered study, `[rows, K]`: with the prompts' noise added where `scale` says so."""
    mean_K = values_KP.mean(axis=1)
    counts_DP = bootstrap.counts(values_KP.shape[1], rows.draws, seed, stream)
    drawn_DK = counts_DP @ values_KP.T / values_KP.shape[1]
    return np.asarray(mean_K + scale[:, None] * (drawn_DK - mean_K)[rows.draw])


def _mean(parts: Sequence[Figure], rows: Rows) -> Figure:
    """The mean of figures `[rows]`, where all of them are defined."""
    if not parts:
        return np.zeros(rows.count), np.zeros(rows.count, dtype=bool)
    defined_B = np.all([defined for _, defined in parts], axis=0)
    return np.where(defined_B, np.mean([value for value, _ in parts], axis=0), 0.0), defined_B
