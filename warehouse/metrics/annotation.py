"""The golden side of a test set: annotation noise and rank bins (METHOD, "Test sets").

Noise: the annotator sees golden + σ·ε, with ε standard normal and σ per golden such that exactly the given share of
its ordered pairs flips. Each pair flips beyond its own σ, its margin over the difference of its two ε, so σ is a
quantile of those and needs no search. Every golden has its own annotator, whose ε depend on the seed and the golden's
name: adding a reward model does not change the noise of the others. Pairwise and listwise measures see the same
utilities. Where a prompt has equal scores, such as labels, the annotator gives out the same labels again, in the order
of golden + σ·ε: as many responses are chosen, perhaps others, and equal labels are no pairs with noise either.

Rank bins: response with average rank r (ascending) of R is in bin ⌊(r − ½)·k/R⌋ + 1 of k, so ties share a bin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube
from warehouse.stats.bootstrap import ANNOTATOR, Bools, Floats, generator
from warehouse.stats.ranks import tie_bounds


def noisy_utilities(cube: ScoreCube, flipped: float, seed: int, responses: int) -> Floats:
    """What noisy annotators of each golden see of the first `responses`: `[M, P, R]`, in each golden's own units.

    Scores of other scorers stay as they are. ε is drawn for all responses of the cube, so that it does not depend on
    `responses`. Raises InvalidChoice if no σ flips so many pairs.
    """
    scores = cube.scores_MPR[:, :, :responses].astype(np.float64)
    counts_P = None if cube.responses_P is None else np.minimum(cube.responses_P, responses)
    tied_M = _tied(scores)
    for place in np.flatnonzero(cube.roles.golden_M):
        utilities_PR, golden = scores[place], cube.reward_models[place]
        drawn_PR = generator(seed, ANNOTATOR, golden).standard_normal(cube.scores_MPR.shape[1:])
        epsilon_PR = drawn_PR[:, :responses]
        noisy_PR = utilities_PR + flipping_sigma(utilities_PR, epsilon_PR, flipped, counts_P) * epsilon_PR
        scores[place] = _labelled_again(noisy_PR, utilities_PR, counts_P) if tied_M[place] else noisy_PR
    return scores


def _tied(scores_MPR: Floats) -> Bools:
    """Which scorers `[M]` may have equal scores in a prompt."""
    ordered_MPR = np.sort(scores_MPR, axis=2)
    tied_M: Bools = (ordered_MPR[:, :, 1:] == ordered_MPR[:, :, :-1]).any(axis=(1, 2))
    return tied_M


def _labelled_again(noisy_PR: Floats, scores_PR: Floats, counts_P: NDArray[np.int64] | None) -> Floats:
    """What the annotator sees `[P, R]`, and in prompts with equal scores these scores, the greatest to what seems best.

    What is beyond `counts_P` responses stays beyond.
    """
    beyond_PR = np.zeros(scores_PR.shape, dtype=bool)
    if counts_P is not None:
        beyond_PR = np.arange(scores_PR.shape[1]) >= counts_P[:, None]
    ordered_PR = np.sort(np.where(beyond_PR, np.inf, scores_PR), axis=1)
    equal_PR = (ordered_PR[:, 1:] == ordered_PR[:, :-1]) & np.isfinite(ordered_PR[:, 1:])
    rows = np.flatnonzero(equal_PR.any(axis=1))
    if len(rows):
        order_PR = np.argsort(np.where(beyond_PR[rows], np.inf, noisy_PR[rows]), axis=1, kind="stable")
        labels_PR = np.empty_like(ordered_PR[rows])
        np.put_along_axis(labels_PR, order_PR, ordered_PR[rows], axis=1)
        noisy_PR[rows] = np.where(beyond_PR[rows], 0.0, labels_PR)
    return noisy_PR


def flipping_sigma(
    scores_PR: Floats, epsilon_PR: Floats, flipped: float, counts_P: NDArray[np.int64] | None = None
) -> float:
    """The σ at which a share `flipped` of ordered pairs changes order in `scores + σ·epsilon`, both `[P, R]`.

    `counts_P` is how many responses a prompt has (None: all R); what is beyond is in no pair.
    """
    first, second = np.triu_indices(scores_PR.shape[1], 1)
    margin_PK = scores_PR[:, first] - scores_PR[:, second]
    if counts_P is not None:
        margin_PK[second >= counts_P[:, None]] = 0.0
    margin = margin_PK.ravel()
    push = (epsilon_PR[:, second] - epsilon_PR[:, first]).ravel()
    ordered = margin != 0
    against = ordered & (np.sign(push) == np.sign(margin))
    flips_beyond = np.sort(margin[against] / push[against])
    flips = round(flipped * int(ordered.sum()))
    if flips == 0:
        return 0.0
    if flips > len(flips_beyond):
        raise InvalidChoice(
            f"noise={flipped:g} needs {flips} flipped pairs of {int(ordered.sum())}, but with this seed at most "
            f"{len(flips_beyond)} can flip; use less noise or another seed"
        )
    # halfway to the next pair's threshold; beyond the last one, any greater σ
    last = flips_beyond[flips - 1]
    return float((last + flips_beyond[flips]) / 2 if flips < len(flips_beyond) else 2 * last)


def rank_bins(scores_PMR: Floats, bins: int) -> NDArray[np.int64]:
    """Bin of each response in its golden order, 1 the worst to `bins` the best; `[P, M, R]`."""
    R = scores_PMR.shape[-1]
    below, upto = tie_bounds(scores_PMR)
    return (below + upto) * bins // (2 * R) + 1  # (rank − ½)·bins/R, in whole numbers


def pairs_across_bins(bins_PMR: NDArray[np.int64], chosen: int | None, rejected: int | None) -> Bools:
    """Which of the K pairs lie across different bins, `[P, M, K]`; across these two bins, if they are given."""
    first, second = np.triu_indices(bins_PMR.shape[-1], 1)
    one_PMK, other_PMK = bins_PMR[..., first], bins_PMR[..., second]
    if chosen is None:
        return one_PMK != other_PMK
    return ((one_PMK == chosen) & (other_PMK == rejected)) | ((one_PMK == rejected) & (other_PMK == chosen))


def first_pair(counted_PMK: Bools) -> Bools:
    """Only the first of the pairs that count, `[P, M, K]`."""
    return counted_PMK & (np.cumsum(counted_PMK, axis=-1) == 1)
