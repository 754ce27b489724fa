"""The golden side of a test set: who annotates, and which pairs are asked about (METHOD, constructions 3 and 6).

Noise: the annotator sees golden + σ·ε, ε standard normal and drawn once for the whole cube, σ per golden such that the
wanted share of its ordered pairs flips, no more and no less. Each pair flips beyond a σ of its own, its margin over the
difference of its two ε, so the wanted σ is a quantile of those: no search. Pairwise and listwise measures see the same
utilities.

Rank bins: response with average rank r (ascending) of R is in bin ⌊(r − ½)·k/R⌋ + 1 of k, so ties share a bin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.measures.bootstrap import ANNOTATOR, generator
from warehouse.measures.ties import tie_bounds

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def noisy_utilities(scores_MPR: NDArray[np.floating], flipped: float, seed: int, responses: int) -> Floats:
    """What noisy annotators of each golden see of the first `responses`: `[M, P, R]`, in each golden's own units.

    ε is drawn for all responses of the cube, so that it is the same whichever number of them is taken. Raises
    InvalidChoice where no σ flips so many pairs.
    """
    epsilon = generator(seed, ANNOTATOR).standard_normal(scores_MPR.shape)[:, :, :responses]
    scores = scores_MPR[:, :, :responses].astype(np.float64)
    for golden in range(len(scores)):
        scores[golden] += flipping_sigma(scores[golden], epsilon[golden], flipped) * epsilon[golden]
    return scores


def flipping_sigma(scores_PR: Floats, epsilon_PR: Floats, flipped: float) -> float:
    """The σ at which a share `flipped` of the ordered pairs of `scores + σ·epsilon` is ordered the other way."""
    first, second = np.triu_indices(scores_PR.shape[1], 1)
    margin = (scores_PR[:, first] - scores_PR[:, second]).ravel()
    push = (epsilon_PR[:, second] - epsilon_PR[:, first]).ravel()
    ordered = margin != 0
    against = ordered & (np.sign(push) == np.sign(margin))
    flips_beyond = np.sort(margin[against] / push[against])
    wanted = round(flipped * int(ordered.sum()))
    if wanted == 0:
        return 0.0
    if wanted > len(flips_beyond):
        raise InvalidChoice(
            f"noise {flipped:g} needs {wanted} flipped pairs; no annotator's noise of this seed flips more than "
            f"{len(flips_beyond)} of {int(ordered.sum())}; take less"
        )
    # halfway to the next pair's threshold; beyond the last one, any greater σ
    last = flips_beyond[wanted - 1]
    return float((last + flips_beyond[wanted]) / 2 if wanted < len(flips_beyond) else 2 * last)


def rank_bins(scores_PMR: Floats, bins: int) -> NDArray[np.int64]:
    """Bin of each response in its golden order, 1 the worst to `bins` the best; `[P, M, R]`."""
    R = scores_PMR.shape[-1]
    below, upto = tie_bounds(scores_PMR)
    return (below + upto) * bins // (2 * R) + 1  # (rank − ½)·bins/R, in whole numbers


def asked_pairs(bins_PMR: NDArray[np.int64], chosen: int | None, rejected: int | None) -> Bools:
    """Pairs `[P, M, K]` of different bins; of these two bins, if they are given."""
    first, second = np.triu_indices(bins_PMR.shape[-1], 1)
    one, other = bins_PMR[..., first], bins_PMR[..., second]
    if chosen is None:
        return one != other
    return ((one == chosen) & (other == rejected)) | ((one == rejected) & (other == chosen))


def first_pair(asked_PMK: Bools) -> Bools:
    """Of the pairs that are asked about, the first only."""
    return asked_PMK & (np.cumsum(asked_PMK, axis=-1) == 1)
