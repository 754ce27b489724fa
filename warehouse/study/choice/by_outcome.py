"""Reward models ranked by an outcome that was measured elsewhere, and how measures rank the same reward models.

METHOD, "Choosing a reward model". What is random is the error of each outcome: normal, with its standard error, and
independent from one reward model to the next. Intervals for all K at once are exact (Šidák): each has the level
0.95^(1/K). Pairs are tested together as in `ranking`, by the greatest |z| of simulated errors, stepdown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from warehouse.errors import InvalidChoice
from warehouse.metrics.catalogue import MEASURES
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.test_set import TestSet, chosen_prompts
from warehouse.stats.bootstrap import LEVEL, Estimate, Floats
from warehouse.study.choice.ranking import Order, draws_for, pairs_at_once
from warehouse.study.outcomes import Outcome, Prediction, predict_all
from warehouse.study.together import lettered

FIRST_MEASURE = "accuracy"
"""The measure that is shown beside the outcome."""

_LEAST = -2.0


@dataclass(frozen=True)
class OutcomeAnswer:
    """The reward models by an outcome, the best first, and what measures say of the same ones.

    `outcome` is that of the ranked in their order, `left_out` are reward models without it. `predictions` are by
    measure on a test set, with the truth of `goldens`; empty where nothing can be measured, and `unmeasured` says why.
    """

    outcome: Outcome
    order: Order
    left_out: tuple[str, ...]
    goldens: tuple[str, ...]
    predictions: Mapping[str, Prediction]
    unmeasured: str = ""

    @property
    def best_predictors(self) -> list[str]:
        """The measures in the order of their Kendall τ with the outcome, those without one last."""
        taus = {measure: each.correlations["kendall"].value for measure, each in self.predictions.items()}
        return sorted(taus, key=lambda measure: -_LEAST if (tau := taus[measure]) is None else -tau)

    def ranks(self, measure: str) -> tuple[int | None, ...]:
        """Rank of each reward model by a measure, 1 the best, ties share the best rank; None without a figure."""
        value_K = self.values(measure)
        known = [value for value in value_K if value is not None]
        return tuple(None if value is None else 1 + sum(other > value for other in known) for value in value_K)

    def values(self, measure: str) -> tuple[float | None, ...]:
        """The measure of each reward model, in the order of the outcome; None where it is undefined."""
        prediction = self.predictions[measure]
        known = dict(zip(prediction.reward_models, prediction.value_K.tolist(), strict=True))
        values = (known.get(name, np.nan) for name in self.order.names)
        return tuple(None if np.isnan(value) else value for value in values)


def ordered(outcome: Outcome, seed: int = 0) -> Order:
    """The reward models of an outcome in their order. Raises InvalidChoice for fewer than two."""
    K = len(outcome.reward_models)
    if K < 2:
        raise InvalidChoice(f"choosing takes two reward models or more with outcome {outcome.name!r}; there are {K}")
    ranks = np.argsort(-outcome.value_K, kind="stable")
    best_first = outcome.of([outcome.reward_models[k] for k in ranks])
    value_K, error_K = best_first.value_K, best_first.error_K
    known = np.flatnonzero(error_K > 0)
    difference_KK = value_K[:, None] - value_K
    squares_KK = error_K[:, None] ** 2 + error_K**2
    error_KK = np.sqrt(np.where(np.eye(K, dtype=bool), 0.0, squares_KK))

    groups: list[tuple[int, ...]] = [()] * K
    reach = np.nan
    p_KK, beats_KK = np.full((K, K), np.nan), np.full((K, K), np.nan)
    np.fill_diagonal(p_KK, 1.0)
    np.fill_diagonal(beats_KK, 0.5)
    if len(known):
        draws = draws_for(len(known))
        pairs = np.ix_(known, known)
        deviation_BK = best_first.deviations(draws, seed)[:, known]
        p_KK[pairs], reach = pairs_at_once(difference_KK[pairs], error_KK[pairs], deviation_BK, np.ones(draws))
        beats_KK[pairs] = _beats(difference_KK[pairs], error_KK[pairs])
        for place, of_place in zip(known, lettered(p_KK[pairs] < 1.0 - LEVEL), strict=True):
            groups[place] = of_place
    all_known = len(known) == K
    return Order(
        names=best_first.reward_models,
        estimates=_around(value_K, error_K, _quantile(LEVEL)),
        together=_around(value_K, error_K, _quantile(LEVEL ** (1.0 / max(1, len(known))))),
        groups=tuple(groups),
        p_MM=p_KK,
        beats_MM=beats_KK,
        behind=float(max(0.0, (reach * error_KK[0] - difference_KK[0]).max())) if all_known else np.nan,
    )


def by_outcome(
    outcome: Outcome,
    candidates: Sequence[str],
    cube: ScoreCube | None,
    *,
    test_set: TestSet | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> OutcomeAnswer:
    """The candidates by an outcome; `cube` has the RM-test scores with its goldens, None: nothing is measured.

    Raises InvalidChoice and UnknownName for prompts that the scores do not have, and as `ordered`.
    """
    has_one = [name for name in candidates if name in outcome.reward_models]
    order = ordered(outcome.of(has_one), seed)
    predictions: Mapping[str, Prediction] = {}
    goldens: tuple[str, ...] = ()
    unmeasured = "the run has no scores of RM-test prompts"
    if cube is not None:
        chosen_prompts(cube, test_set or TestSet())  # what cannot be chosen is an error
        goldens = tuple(name for name, golden in zip(cube.reward_models, cube.roles.goldens, strict=True) if golden)
        try:
            board = predict_all(
                cube,
                outcome.of(has_one),
                tuple(MEASURES),
                FIRST_MEASURE,
                test_set=test_set,
                replicates=replicates,
                seed=seed,
            )
            predictions, unmeasured = board.predictions, ""
        except InvalidChoice as error:
            unmeasured = str(error)
    left_out = tuple(name for name in candidates if name not in has_one)
    return OutcomeAnswer(outcome.of(order.names), order, left_out, goldens, predictions, unmeasured)


def _around(value_K: Floats, error_K: Floats, reach: float) -> tuple[Estimate, ...]:
    """Normal intervals that reach so many errors; none where the error is unknown."""
    return tuple(
        Estimate(value, value - reach * error, value + reach * error, replicates=0)
        if error > 0
        else Estimate(value, low=None, high=None, replicates=0)
        for value, error in zip(value_K.tolist(), error_K.tolist(), strict=True)
    )


def _quantile(level: float) -> float:
    """How many errors a two-sided normal interval of this level reaches."""
    return NormalDist().inv_cdf(0.5 + level / 2.0)


def _beats(difference_KK: Floats, error_KK: Floats) -> Floats:
    """The share above 0 of a normal number around the difference, `[K, K]`; ½ on the diagonal."""
    from scipy import special  # importing SciPy takes as long as the whole package

    z_KK = np.divide(difference_KK, error_KK, out=np.zeros_like(difference_KK), where=error_KK > 0)
    share_KK: Floats = special.ndtr(z_KK)
    return share_KK
