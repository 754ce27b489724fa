"""How well a proxy's pair probabilities σ(b_i − b_j) are calibrated: ECE, Brier score, log-loss, reliability diagram.

The first three are METHOD's measures: over golden-ordered pairs, and negated, so that larger is better. The reliability
diagram is the ECE bin by bin, on the same terms. A prompt weighs the same however many golden-ordered pairs it has, as
in every other measure, and a proxy tie counts ½.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.formulas import Terms, ratio
from warehouse.metrics.responses import Floats, Responses, cross
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Estimate

CONFIDENCE_EDGES = np.linspace(0.5, 1.0, 6)
_BINS = len(CONFIDENCE_EDGES) - 1


def brier(golden: Responses, proxy: Responses) -> Terms:
    """Minus the mean of (1 − p)², p the probability of the golden order."""
    return _minus_mean(golden, proxy, lambda margin: _sigmoid(-margin) ** 2)


def log_loss(golden: Responses, proxy: Responses) -> Terms:
    """Minus the mean of −log p, in nats, p the probability of the golden order."""
    return _minus_mean(golden, proxy, lambda margin: np.logaddexp(0.0, -margin))


def ece(golden: Responses, proxy: Responses) -> Terms:
    """Per bin of confidence, the summed confidence minus the number ordered right, per golden-ordered pair.

    The expected calibration error is the sum over bins of the absolute weighted sums over prompts. A pair seen from
    both sides falls into two bins of σ(b_i − b_j) that mirror one another about ½ and have equal gaps; so METHOD's ten
    equal-width bins of [0, 1] are five of confidence in [½, 1], whichever response comes first.
    """
    ordered = np.abs(golden.signs)
    confidence = _sigmoid(np.abs(proxy.margins))
    bins = _bin_numbers(confidence)
    pairs = golden.ordered[:, :, None]
    gaps = []
    for number in range(_BINS):
        inside = bins == number
        # confidence − ½(1 + agreement), summed over the pairs of this bin
        gap = cross(ordered, inside * (confidence - 0.5)) - 0.5 * cross(golden.signs, inside * proxy.signs)
        gaps.append(np.divide(gap, pairs, out=np.zeros_like(gap), where=pairs > 0))
    return np.stack(gaps), np.broadcast_to(pairs > 0, gaps[0].shape)


def _sigmoid(margins: Floats) -> Floats:
    """Probability that the first of two responses is better, by their score difference; exact in both tails."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -margins)))


def _bin_numbers(confidence: Floats) -> NDArray[np.int64]:
    return np.clip(np.digitize(confidence, CONFIDENCE_EDGES) - 1, 0, _BINS - 1)


def _minus_mean(golden: Responses, proxy: Responses, loss: Callable[[Floats], Floats]) -> Terms:
    """Minus the mean over golden-ordered pairs of a loss of the proxy's margin in the golden's direction."""
    forward, backward = (golden.signs > 0).astype(np.float64), (golden.signs < 0).astype(np.float64)
    total = cross(forward, loss(proxy.margins)) + cross(backward, loss(-proxy.margins))
    return ratio(-total, golden.ordered[:, :, None])


@dataclass(frozen=True)
class ReliabilityBin:
    """Pairs of similar confidence, from `least` to `greatest`: the mean confidence and the share ordered right."""

    least: float
    greatest: float
    confidence: float
    right: Estimate
    pairs: int


@dataclass(frozen=True)
class Reliability:
    """The bins that contain pairs, the ECE over all of them (larger is worse), and how many pairs are golden ties."""

    bins: tuple[ReliabilityBin, ...]
    error: Estimate
    pairs: int
    golden_ties: int


def reliability(cube: ScoreCube, golden: str, proxy: str, *, replicates: int = 1000, seed: int = 0) -> Reliability:
    """Compare a proxy's confidence with how often it orders pairs of responses as the golden does.

    Raises UnknownName for a reward model that is not in the cube, InvalidChoice for one against itself.
    """
    for name in (golden, proxy):
        if name not in cube.reward_models:
            raise UnknownName(f"no reward model {name!r}; there are {', '.join(cube.reward_models)}")
    if golden == proxy:
        raise InvalidChoice(f"golden and proxy are both {golden!r}; a reward model always agrees with itself")
    _, second = np.triu_indices(cube.scores_MPR.shape[2], 1)
    is_pair_PMK = (second < cube.counts_P[:, None])[:, None]
    truth, own = (
        Responses(cube.scores_MPR[cube.reward_models.index(name), :, None, :], counted_PMK=is_pair_PMK)
        for name in (golden, proxy)
    )
    ordered_PK = truth.signs[:, 0] != 0
    confidence_PK = _sigmoid(np.abs(own.margins[:, 0]))
    right_PK = 0.5 * (1.0 + truth.signs[:, 0] * own.signs[:, 0])
    pairs_P = ordered_PK.sum(axis=1)
    weight_PK = np.divide(ordered_PK, pairs_P[:, None], out=np.zeros(ordered_PK.shape), where=pairs_P[:, None] > 0)
    inside_PKb = (_bin_numbers(confidence_PK)[..., None] == np.arange(_BINS)) & ordered_PK[..., None]
    weights_Bb, confidences_Bb, rights_Bb = (
        bootstrap.prompt_sums(
            np.einsum("pk,pkb->pb", weight_PK * factor_PK, inside_PKb), replicates=replicates, seed=seed
        )[0]
        for factor_PK in (np.ones_like(weight_PK), confidence_PK, right_PK)
    )
    share_Bb = np.divide(rights_Bb, weights_Bb, out=np.zeros_like(rights_Bb), where=weights_Bb > 0)
    prompts_B = weights_Bb.sum(axis=1)
    gap_B = np.abs(confidences_Bb - rights_Bb).sum(axis=1)
    error_B = np.divide(gap_B, prompts_B, out=np.zeros_like(gap_B), where=prompts_B > 0)
    return Reliability(
        bins=tuple(
            ReliabilityBin(
                least=float(CONFIDENCE_EDGES[number]),
                greatest=float(CONFIDENCE_EDGES[number + 1]),
                confidence=float(confidences_Bb[0, number] / weights_Bb[0, number]),
                right=bootstrap.first_with_interval(share_Bb[:, number], weights_Bb[:, number] > 0),
                pairs=int(inside_PKb[..., number].sum()),
            )
            for number in np.flatnonzero(weights_Bb[0] > 0)
        ),
        error=bootstrap.first_with_interval(error_B, prompts_B > 0),
        pairs=int(pairs_P.sum()),
        golden_ties=int((is_pair_PMK[:, 0] & ~ordered_PK).sum()),
    )
