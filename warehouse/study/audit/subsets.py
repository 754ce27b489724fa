"""What a subset of a test set is good for: how reliably it ranks reward models, and how many it tells apart.

METHOD, "Audit of a test set". Reliability is the generalisability coefficient of reward models over items (Cronbach's
α by the two-way analysis of variance; Hoyt 1941), with the exact interval of normal errors (Feldt 1965).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import LEVEL, NOTHING, Bools, Estimate, Floats
from warehouse.study.audit.items import FEWEST_MODELS, RATE, adjusted, spearman_with_rest
from warehouse.study.audit.right import Right
from warehouse.study.together import stepdown

FEWEST_ITEMS = 10
"""Items below which a subset is not judged."""

SATURATED = 0.95
"""Accuracy, averaged over reward models, from which on a subset leaves nothing to tell apart."""

STANDARD = 100
"""Items for which reliabilities of subsets of unequal size are compared (Spearman and Brown 1910)."""

RELIABLE = 0.9

_DRAWS = 2000
_ENTRIES = 4_000_000
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Group:
    """Items that are judged together: all, those of a category, or those of one of its subsets; `[items]` numbers."""

    category: str | None
    subset: str | None
    items_P: NDArray[np.int64]


@dataclass(frozen=True)
class SubsetAudit:
    """What a group of items says of M reward models.

    - `accuracy`: mean over reward models, with its interval over items; `accuracy_M` of each.
    - `reliability` of its ranking, None where undefined; `reliability_100`: that of STANDARD such items;
      `items_needed`: how many such items give a reliability of RELIABLE.
    - `apart` of `pairs` of reward models are told apart, all compared at once at 5 %.
    - `informative`: the share of items on which reward models differ.
    - `rest`: Spearman's ρ over reward models of their accuracy here and on all other items; `contrary_q`: the
      adjusted p-value of one below 0 (1 where untested).
    - `at_chance`: no reward model can be told from a coin.
    """

    group: Group
    used: int
    accuracy: Estimate
    accuracy_M: Floats
    reliability: Estimate
    reliability_100: float | None
    items_needed: int | None
    apart: int
    pairs: int
    informative: float
    rest: float | None
    contrary_q: float
    at_chance: bool

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What to know of it in words."""
        if self.used < FEWEST_ITEMS:
            return ("too few items",)
        return (
            *(["saturated"] if (self.accuracy.value or 0.0) >= SATURATED else []),
            *(["at chance"] if self.at_chance else []),
            *(["contrary"] if self.contrary_q <= RATE else []),
        )


def groups(categories: tuple[str, ...], subsets: tuple[str, ...]) -> Iterator[Group]:
    """All items, then each category with its subsets; a level that has one group only is left out."""
    yield Group(category=None, subset=None, items_P=np.arange(len(categories)))
    names = sorted(set(categories))
    category_P, subset_P = np.array(categories, dtype=object), np.array(subsets, dtype=object)
    for category in names:
        inside_P = category_P == category
        of_category = sorted(set(subset_P[inside_P]))
        if len(names) > 1:
            yield Group(category, subset=None, items_P=np.flatnonzero(inside_P))
        if len(of_category) > 1:
            for subset in of_category:
                yield Group(category, subset, np.flatnonzero(inside_P & (subset_P == subset)))


def subset_audits(right: Right, of: list[Group], *, replicates: int = 1000, seed: int = 0) -> list[SubsetAudit]:
    """Every group in turn; the tests of which are contrary are corrected for the number of groups of their level."""
    rho_K, p_K, tested_K = np.zeros(len(of)), np.ones(len(of)), np.zeros(len(of), dtype=bool)
    sums_M, counts_M = right.right_MP.sum(axis=1), right.defined_MP.sum(axis=1)
    for number, group in enumerate(of):
        here_M = right.right_MP[:, group.items_P].sum(axis=1)
        count_M = right.defined_MP[:, group.items_P].sum(axis=1)
        rest_M = counts_M - count_M
        if len(right.reward_models) >= FEWEST_MODELS and count_M.min() >= FEWEST_ITEMS and rest_M.min() > 0:
            parts = (here_M / count_M)[:, None], ((sums_M - here_M) / rest_M)[:, None]
            (rho_K[number],), (p_K[number],) = spearman_with_rest(*parts)
            tested_K[number] = True
    q_K = np.ones(len(of))
    for whole_category in (True, False):
        level_K = tested_K & np.array([(group.subset is None) == whole_category for group in of], dtype=bool)
        q_K = np.where(level_K, adjusted(p_K, level_K), q_K)
    return [
        _audit(
            right,
            group,
            rest=float(rho_K[number]) if tested_K[number] else None,
            contrary_q=float(q_K[number]),
            replicates=replicates,
            seed=seed,
        )
        for number, group in enumerate(of)
    ]


def _audit(
    right: Right, group: Group, *, rest: float | None, contrary_q: float, replicates: int, seed: int
) -> SubsetAudit:
    items = group.items_P[right.whole_P[group.items_P]]
    right_MP = right.right_MP[:, items]
    M, P = right_MP.shape
    accuracy, reliability, scaled, needed = NOTHING, NOTHING, None, None
    if P:
        (accuracy,) = bootstrap.prompt_means(right_MP.mean(axis=0)[:, None], replicates=replicates, seed=seed)
    if P >= FEWEST_ITEMS and M >= 3:
        reliability = reliability_of(right_MP)
        alpha = reliability.value
        if alpha is not None and 0.0 < alpha < 1.0:
            scaled = STANDARD * alpha / (P + (STANDARD - P) * alpha)
            needed = int(np.ceil(P * RELIABLE / (1.0 - RELIABLE) * (1.0 - alpha) / alpha))
    judged = P >= FEWEST_ITEMS
    return SubsetAudit(
        group=group,
        used=P,
        accuracy=accuracy,
        accuracy_M=right_MP.mean(axis=1) if P else np.zeros(M),
        reliability=reliability,
        reliability_100=scaled,
        items_needed=needed,
        apart=int(apart(right_MP, seed).sum()) // 2 if judged else 0,
        pairs=M * (M - 1) // 2,
        informative=float((np.ptp(right_MP, axis=0) > 1e-9).mean()) if P else 0.0,
        rest=rest,
        contrary_q=contrary_q,
        at_chance=judged and not from_chance(right_MP, seed).any(),
    )


def reliability_of(right_MP: Floats) -> Estimate:
    """Cronbach's α of M reward models over P items with its 95 % interval; undefined if nothing varies."""
    from scipy import special

    M, P = right_MP.shape
    mean_M, mean_P, mean = right_MP.mean(axis=1), right_MP.mean(axis=0), right_MP.mean()
    between = P * ((mean_M - mean) ** 2).sum() / (M - 1)
    residual_MP = right_MP - mean_M[:, None] - mean_P + mean
    degrees = (M - 1) * (P - 1)
    error = (residual_MP**2).sum() / degrees
    if between < 1e-12:
        return NOTHING
    ratio = error / between
    tail = 0.5 * (1.0 - LEVEL)
    low, high = (1.0 - ratio * special.fdtri(M - 1, degrees, share) for share in (1.0 - tail, tail))
    return Estimate(float(1.0 - ratio), float(low), float(high), P)


def apart(right_MP: Floats, seed: int = 0) -> Bools:
    """Which pairs of M reward models differ in accuracy on P items, all compared at once at 5 %: `[M, M]`.

    Paired differences over items and the stepdown max-t of Romano and Wolf, as in `together`.
    """
    M, _ = right_MP.shape
    first, second = np.triu_indices(M, k=1)
    contrast_LM = np.zeros((len(first), M))
    contrast_LM[np.arange(len(first)), first], contrast_LM[np.arange(len(first)), second] = 1.0, -1.0
    apart_MM = np.zeros((M, M), dtype=bool)
    unlike_L = [int((np.abs(one_P - other_P) > _ROUNDING).sum()) for one_P, other_P in _all_pairs(right_MP)]
    rejected_L = _rejected(right_MP, contrast_LM, unlike_L, seed)
    apart_MM[first, second] = apart_MM[second, first] = rejected_L
    return apart_MM


def from_chance(right_MP: Floats, seed: int = 0) -> Bools:
    """Which of M reward models differ in accuracy from ½ on P items, all compared at once at 5 %: `[M]`."""
    unlike_M = (np.abs(right_MP - 0.5) > _ROUNDING).sum(axis=1).tolist()
    return _rejected(right_MP - 0.5, np.eye(len(right_MP)), unlike_M, seed)


def _all_pairs(right_MP: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Two reward models at a time, in the order of `np.triu_indices`."""
    for m, row_P in enumerate(right_MP):
        for other_P in right_MP[m + 1 :]:
            yield row_P, other_P


def _rejected(value_MP: Floats, contrast_LM: Floats, unlike_L: Sequence[int], seed: int) -> Bools:
    """Which of L contrasts of means over items are not 0. All are drawn together, by their covariance over items.

    On `unlike_L` items a contrast is not 0: no test is surer than if these all were on one side by coin tosses.
    """
    _, P = value_MP.shape
    centred_PM = (value_MP - value_MP.mean(axis=1, keepdims=True)).T / np.sqrt(P * (P - 1))
    root_UM = np.asarray(np.linalg.qr(centred_PM, mode="r"))
    root_UM *= np.where(np.diagonal(root_UM) < 0, -1.0, 1.0)[:, None]  # LAPACK leaves signs open
    root_UL = root_UM @ contrast_LM.T
    mean_L, error_L = contrast_LM @ value_MP.mean(axis=1), np.sqrt((root_UL**2).sum(axis=0))
    least_L = 2.0 * 0.5 ** np.array(unlike_L, dtype=np.float64)
    rejected_L = (error_L < _ROUNDING) & (np.abs(mean_L) > _ROUNDING)  # the same difference on every item
    tested = np.flatnonzero(error_L >= _ROUNDING)
    if len(tested):
        rng = bootstrap.generator(seed, bootstrap.TOGETHER, "items")
        draws = max(400, min(_DRAWS, _ENTRIES // len(tested)))
        t_BL = np.abs(rng.standard_normal((draws, len(root_UM))) @ root_UL[:, tested]) / error_L[tested]
        t_BL /= np.sqrt(rng.chisquare(P - 1, draws) / (P - 1))[:, None]
        p_values = np.array(stepdown(np.abs(mean_L[tested]) / error_L[tested], t_BL))
        rejected_L[tested] = np.maximum(p_values, least_L[tested]) < 1.0 - LEVEL
    return rejected_L
