"""Which items are faulty: contrary to the rest, with a suspect label, tied, undefined, or without information.

METHOD, "Audit of a test set". Tests over reward models are corrected for the number of items (false discovery rate,
Benjamini and Hochberg 1995): of the items that a test flags, at most 5 % are expected to be flagged by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Bools, Floats
from warehouse.study.audit.right import Right

FEWEST_MODELS = 6
"""Reward models below which statistics of single items are noise, so that none are listed."""

RATE = 0.05
"""The false discovery rate."""

MOSTLY_TIED = 0.5
"""The share of ties from which on an item counts as tied."""

_SUREST = 0.98
_DRAWS = 50_000

REASONS: Mapping[str, str] = {
    "suspect label": "good reward models agree against the golden: a wrong label, or a trap for all of them",
    "contrary": "better reward models do worse on it",
    "redundant": "the same as an earlier item: its prompt, or all its scores",
    "same responses": "two of its responses are the same text",
    "tied": "reward models tie most of the pairs that the golden orders",
    "undefined": "the golden gives all its responses the same score, so it has no pairs",
    "all wrong": "no reward model orders a pair rightly, so it tells none of them apart",
    "all right": "every reward model orders all pairs rightly, so it tells none of them apart",
}
"""Why an item is listed, the most urgent reason first."""

FAULTS = tuple(name for name in REASONS if name != "all right")
"""Reasons to look at an item; one that all get right is only easy."""


@dataclass(frozen=True)
class Items:
    """Statistics of P items. Entries that are undefined are 0.

    - `mean_P`: accuracy averaged over reward models, where `defined_P`.
    - `item_rest_P`: Spearman's ρ over reward models of an item with their accuracy on all other items, where
      `varies_P`; `contrary_q_P` its one-sided p-value by Student's t, adjusted (a false discovery rate; 1 without).
    - `against_P` of `judges_P` reward models that are better than chance elsewhere order it against the golden;
      `suspect_p_P`: the p-value of their votes weighted by accuracy, were they to toss coins; `suspect_q_P`: adjusted.
      `judges_P` is 0 where goldens are no fixed truths.
    - `flags`: which items each of `REASONS` names, but for those that texts and scores show (`redundant`).
    """

    mean_P: Floats
    defined_P: Bools
    item_rest_P: Floats
    varies_P: Bools
    contrary_q_P: Floats
    against_P: NDArray[np.int64]
    judges_P: NDArray[np.int64]
    suspect_p_P: Floats
    suspect_q_P: Floats
    flags: Mapping[str, Bools]


def items(right: Right, seed: int = 0) -> Items:
    """Statistics of every item; the seed is that of simulated coin tosses.

    With fewer than FEWEST_MODELS reward models no test flags anything.
    """
    M, P = right.right_MP.shape
    counted_P = right.defined_MP.sum(axis=0)
    defined_P = counted_P > 0
    mean_P = right.right_MP.sum(axis=0) / np.maximum(counted_P, 1)
    spread_P = np.ptp(np.where(right.defined_MP, right.right_MP, mean_P), axis=0)
    whole_P = right.whole_P
    varies_P = whole_P & (spread_P > 1e-9)
    item_rest_P, contrary_p_P = _item_rest(right, varies_P)
    against_P, judges_P, suspect_p_P = _votes(right, seed)
    enough = M >= FEWEST_MODELS
    contrary_q_P = adjusted(contrary_p_P, varies_P) if enough else np.ones(P)
    suspect_q_P = adjusted(suspect_p_P, judges_P > 0) if enough else np.ones(P)
    return Items(
        mean_P=mean_P,
        defined_P=defined_P,
        item_rest_P=item_rest_P,
        varies_P=varies_P,
        contrary_q_P=contrary_q_P,
        against_P=against_P,
        judges_P=judges_P,
        suspect_p_P=suspect_p_P,
        suspect_q_P=suspect_q_P,
        flags={
            "suspect label": suspect_q_P <= RATE,
            "contrary": contrary_q_P <= RATE,
            "tied": defined_P & (right.ties_P > MOSTLY_TIED),
            "undefined": ~defined_P,
            "all wrong": whole_P & (spread_P <= 1e-9) & (mean_P < 1e-9),
            "all right": whole_P & (spread_P <= 1e-9) & (mean_P > 1.0 - 1e-9),
        },
    )


def adjusted(p_P: Floats, tested_P: Bools) -> Floats:
    """Benjamini and Hochberg's adjusted p-values `[P]` of those that are tested; 1 for the others."""
    q_P = np.ones(len(p_P))
    places = np.flatnonzero(tested_P)
    order = places[np.argsort(-p_P[places], kind="stable")]
    ranks = np.arange(len(order), 0, -1)
    q_P[order] = np.minimum.accumulate(np.minimum(1.0, p_P[order] * len(order) / ranks))
    return q_P


def spearman_with_rest(part_MK: Floats, rest_MK: Floats) -> tuple[Floats, Floats]:
    """Spearman's ρ over M reward models of K parts with the rest, and the p-values of one below 0, both `[K]`.

    By Student's t with M − 2 degrees of freedom. Ranks keep one unusual reward model from deciding alone.
    """
    from scipy import special, stats  # importing SciPy takes as long as the whole package

    M = len(part_MK)
    ranks = [stats.rankdata(np.round(values, 12), axis=0) - 0.5 * (M + 1) for values in (part_MK, rest_MK)]
    squares = [(rank**2).sum(axis=0) for rank in ranks]
    scale = np.sqrt(squares[0] * squares[1])
    rho_K = np.divide((ranks[0] * ranks[1]).sum(axis=0), scale, out=np.zeros(part_MK.shape[1]), where=scale > 0)
    rho_K = np.clip(rho_K, -1.0, 1.0)
    t_K = rho_K * np.sqrt(max(M - 2, 0) / np.maximum(1.0 - rho_K**2, 1e-12))
    return rho_K, np.asarray(special.stdtr(max(M - 2, 1), t_K))


def _item_rest(right: Right, varies_P: Bools) -> tuple[Floats, Floats]:
    total_M, count_M = right.right_MP.sum(axis=1), right.defined_MP.sum(axis=1)
    rho_P, p_P = np.zeros(len(varies_P)), np.ones(len(varies_P))
    item_MK = right.right_MP[:, varies_P]
    rest_MK = (total_M[:, None] - item_MK) / np.maximum(count_M[:, None] - 1, 1)
    if item_MK.size and len(item_MK) > 2:
        rho_P[varies_P], p_P[varies_P] = spearman_with_rest(item_MK, rest_MK)
    return rho_P, p_P


class _Votes(NamedTuple):
    """How many of how many reward models order an item against fixed goldens, and how likely that is by coin tosses."""

    against_P: NDArray[np.int64]
    judges_P: NDArray[np.int64]
    p_P: Floats


def _votes(right: Right, seed: int) -> _Votes:
    """Each reward model's vote weighs the log-odds of its accuracy, the best weights for votes that are independent."""
    P = right.right_MP.shape[1]
    better_M = better_than_chance(right)
    if not right.fixed or not better_M.any():
        return _Votes(np.zeros(P, dtype=np.int64), np.zeros(P, dtype=np.int64), np.ones(P))
    vote_JP = np.sign(np.round(right.right_MP[better_M] - 0.5, 9)) * right.whole_P
    odds_J = np.minimum(right.mean_M[better_M], _SUREST)
    weight_J = np.log(odds_J / (1.0 - odds_J))
    rng = bootstrap.generator(seed, bootstrap.TOGETHER, "votes")
    coins_BJ = 2.0 * rng.integers(0, 2, (_DRAWS, len(weight_J)), dtype=np.int8).astype(np.float32) - 1.0
    null_B = np.sort(coins_BJ @ weight_J.astype(np.float32))
    beyond_P = len(null_B) - np.searchsorted(null_B, -(weight_J @ vote_JP) - 1e-4)
    against_P, judges_P = (vote_JP < 0).sum(axis=0), (vote_JP != 0).sum(axis=0)
    return _Votes(against_P, judges_P, np.where(judges_P > 0, (1 + beyond_P) / (1 + len(null_B)), 1.0))


def better_than_chance(right: Right) -> Bools:
    """Reward models `[M]` whose accuracy is two standard errors or more above ½."""
    mean_M, count_M = right.mean_M, np.maximum(right.defined_MP.sum(axis=1), 2)
    deviation_MP = np.where(right.defined_MP, right.right_MP - mean_M[:, None], 0.0)
    error_M = np.sqrt((deviation_MP**2).sum(axis=1) / (count_M - 1) / count_M)
    return np.asarray(mean_M - 2.0 * error_M > 0.5)
