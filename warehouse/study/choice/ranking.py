"""Candidates in their order, which of them differ, and how sure that is.

METHOD, "Choosing a reward model". Every comparison is paired: two candidates are compared by the differences of their
numbers on the same prompts. All pairs are tested at once (Romano and Wolf 2005, `study.together`): by chance, the
means deviate as normal numbers with the candidates' covariance over prompts, over a common χ with Q − 1 degrees of
freedom. Intervals that hold for all candidates at once, so also for whichever comes out first, are those of a
bootstrap-t over prompts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from warehouse.errors import InvalidChoice
from warehouse.metrics.prompt_values import weighted_sums
from warehouse.stats import bootstrap, intervals
from warehouse.stats.bootstrap import Estimate, Floats, wilson_interval
from warehouse.study.choice.worth import FEWEST_PROMPTS, Worth
from warehouse.study.together import lettered, stepdown

_DRAWS = 4000
_REPLICATES = 2000
_MOST_ENTRIES = 20_000_000
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Order:
    """M candidates, the best first; all matrices are in this order.

    `estimates` have 95 % intervals of their own, `together` ones that hold for all M at once. `groups` are numbered
    from 1 (`together.lettered`). `beats_MM[a, b]` is the probability that a is worth more than b: the posterior of the
    difference under a flat prior, normal differences. `p_MM` is the adjusted p-value of a difference. `behind` is how
    much less than the best the first may be worth at most: the greatest upper end of the intervals, for all pairs at
    once, of what another is worth more. Where errors are unknown (outcomes), figures that need them are NaN, and
    intervals and groups empty.
    """

    names: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    together: tuple[Estimate, ...]
    groups: tuple[tuple[int, ...], ...]
    p_MM: Floats
    beats_MM: Floats
    behind: float

    @property
    def may_be_best(self) -> tuple[str, ...]:
        """Those that differ from none above them enough to be ruled out: not clearly worse than the first."""
        apart = self.p_MM[0] < 1.0 - bootstrap.LEVEL
        return tuple(name for name, differs in zip(self.names, apart, strict=True) if not differs)


@dataclass(frozen=True)
class Ranking(Order):
    """Candidates in the order of what they are worth over `prompts` prompts, with Student's t throughout.

    `better_MM[a, b]` is the share of these prompts on which a is worth more, ties count half.
    """

    better_MM: Floats
    prompts: int


def ranked(worth: Worth, seed: int = 0) -> Ranking:
    """The candidates in their order. Raises InvalidChoice for fewer than two prompts."""
    Q = worth.values_MQ.shape[1]
    if Q < FEWEST_PROMPTS:
        raise InvalidChoice(f"comparing takes two prompts or more; there are {Q}")
    order = np.argsort(-worth.values_MQ.mean(axis=1), kind="stable")
    values_MQ = worth.values_MQ[order]
    mean_M = values_MQ.mean(axis=1)
    centred_MQ = values_MQ - mean_M[:, None]
    covariance_MM = centred_MQ @ centred_MQ.T / (Q * (Q - 1.0))
    variance_M = np.diagonal(covariance_MM)
    error_M = np.sqrt(variance_M)
    squares_MM = variance_M[:, None] + variance_M - 2.0 * covariance_MM
    error_MM = np.sqrt(np.where(squares_MM > _ROUNDING * (1e-9 + variance_M.max()), squares_MM, 0.0))
    difference_MM = mean_M[:, None] - mean_M

    deviation_BM, chi_B = _by_chance(centred_MQ, seed)
    width = _reach_of_all(centred_MQ, seed)
    alone = intervals.t_quantile(Q - 1.0)
    unlike_MM = _unlike(values_MQ)
    p_MM, reach = pairs_at_once(difference_MM, error_MM, deviation_BM, chi_B)
    p_MM = np.maximum(p_MM, np.minimum(1.0, 2.0 * 0.5**unlike_MM))
    return Ranking(
        names=tuple(worth.candidates[m] for m in order),
        estimates=_around(mean_M, alone * error_M, Q, is_share=worth.unit == "share"),
        together=_around(mean_M, max(alone, width) * error_M, Q, is_share=worth.unit == "share"),
        groups=lettered(p_MM < 1.0 - bootstrap.LEVEL),
        p_MM=p_MM,
        beats_MM=_beats(difference_MM, error_MM, Q, unlike_MM),
        better_MM=_better(values_MQ),
        behind=float(max(0.0, (reach * error_MM[0] - difference_MM[0]).max())),
        prompts=Q,
    )


def _around(mean_M: Floats, half_M: Floats, Q: int, *, is_share: bool) -> tuple[Estimate, ...]:
    """Intervals of these half widths; a share of 0 or 1 that never varies has Wilson's end instead of none."""
    estimates = []
    for mean, half in zip(mean_M.tolist(), half_M.tolist(), strict=True):
        low, high = mean - half, mean + half
        if is_share:
            low, high = max(0.0, low), min(1.0, high)
            if half == 0 and mean in (0.0, 1.0):
                low, high = wilson_interval(round(mean * Q), Q)
        estimates.append(Estimate(mean, low, high, replicates=0))
    return tuple(estimates)


def draws_for(M: int) -> int:
    """How many draws all pairs of M candidates have room for."""
    return int(np.clip(_MOST_ENTRIES // max(1, M * (M - 1) // 2), 500, _DRAWS))


def _by_chance(centred_MQ: Floats, seed: int) -> tuple[Floats, Floats]:
    """How the means would deviate together by chance, `[draws, M]`, and the common χ, `[draws]`."""
    M, Q = centred_MQ.shape
    draws = draws_for(M)
    rng = bootstrap.generator(seed, bootstrap.TOGETHER)
    influence_QM = centred_MQ.T / np.sqrt(Q * (Q - 1.0))
    if Q > M:  # the same covariance from fewer random numbers
        root_MM = np.asarray(np.linalg.qr(influence_QM, mode="r"))
        influence_QM = root_MM * np.where(np.diagonal(root_MM) < 0, -1.0, 1.0)[:, None]
    deviation_BM: Floats = rng.standard_normal((draws, len(influence_QM))) @ influence_QM
    chi = bootstrap.generator(seed, bootstrap.TOGETHER, "chi").chisquare(Q - 1, draws)
    return deviation_BM, np.sqrt(chi / (Q - 1))


def _reach_of_all(centred_MQ: Floats, seed: int) -> float:
    """How many errors the intervals of all means reach: the 95 % quantile of the greatest |t| when prompts are drawn.

    The bootstrap-t: each draw of prompts has its own errors, so that skewed numbers, as shares are, widen it.
    """
    Q = centred_MQ.shape[1]
    counts_BQ = bootstrap.counts(Q, _REPLICATES, seed, bootstrap.RL_PROMPTS)
    mean_BM = weighted_sums(counts_BQ, centred_MQ.T) / Q
    variance_BM = (weighted_sums(counts_BQ, centred_MQ.T**2) / Q - mean_BM**2) / (Q - 1.0)
    varies_BM = variance_BM > _ROUNDING * (centred_MQ**2).mean(axis=1)
    t_BM = np.divide(
        np.abs(mean_BM), np.sqrt(np.where(varies_BM, variance_BM, 1.0)), out=np.zeros_like(mean_BM), where=varies_BM
    )
    return float(np.quantile(t_BM.max(axis=1), bootstrap.LEVEL))


def pairs_at_once(difference_MM: Floats, error_MM: Floats, deviation_BM: Floats, chi_B: Floats) -> tuple[Floats, float]:
    """p-values `[M, M]` of all pairs at once, 1 where two never differ, and how many errors their intervals reach.

    `deviation_BM` `[draws, M]` is how the figures deviate together by chance, `chi_B` `[draws]` the common χ, 1 where
    errors are known.
    """
    M, reach = len(difference_MM), 0.0
    first, second = np.triu_indices(M, 1)
    p_MM = np.ones((M, M))
    tested = error_MM[first, second] > 0
    never = ~tested & (difference_MM[first, second] != 0)  # the same difference on every prompt
    p_MM[first[never], second[never]] = p_MM[second[never], first[never]] = 0.0
    first, second = first[tested], second[tested]
    if len(first):
        error_L = error_MM[first, second]
        t_BL = ((deviation_BM[:, first] - deviation_BM[:, second]) / error_L).astype(np.float32)
        t_BL = np.abs(t_BL, out=t_BL)
        t_BL /= chi_B.astype(np.float32)[:, None]
        p_L = stepdown(np.abs(difference_MM[first, second]) / error_L, t_BL)
        p_MM[first, second] = p_MM[second, first] = p_L
        reach = float(np.quantile(t_BL.max(axis=1), bootstrap.LEVEL))
    return p_MM, reach


def _beats(difference_MM: Floats, error_MM: Floats, Q: int, unlike_MM: Floats) -> Floats:
    """The share of Student's t around the difference that is above 0, `[M, M]`; ½ where two never differ.

    Never surer than the posterior of a share that was on one side in all prompts on which the two differ.
    """
    from scipy import special  # importing SciPy takes as long as the whole package

    t_MM = np.divide(difference_MM, error_MM, out=np.sign(difference_MM) * 1e9, where=error_MM > 0)
    least_MM = 0.5 ** (unlike_MM + 1.0)
    share_MM: Floats = np.clip(special.stdtr(Q - 1.0, t_MM), least_MM, 1.0 - least_MM)
    return share_MM


def _unlike(values_MQ: Floats) -> Floats:
    """On how many prompts two differ, `[M, M]`: on k of them, no sign test gives a p-value below 2 · ½ᵏ."""
    unlike_MM: Floats = np.array([(values_Q != values_MQ).sum(axis=1) for values_Q in values_MQ], dtype=np.float64)
    return unlike_MM


def _better(values_MQ: Floats) -> Floats:
    """The share of prompts on which the row is worth more than the column, `[M, M]`; ties count half."""
    M = len(values_MQ)
    better_MM = np.empty((M, M))
    for m in range(M):
        better_MM[m] = 0.5 + 0.5 * np.sign(values_MQ[m] - values_MQ).mean(axis=1)
    return better_MM
