"""How well a proxy's pair probabilities σ(b_i − b_j) are calibrated: ECE, Brier score and log-loss (METHOD's table).

All are over golden-ordered pairs and negated, so that larger is better. A prompt weighs the same however many
golden-ordered pairs it has, as in every other measure.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from warehouse.metrics.formulas import Terms, ratio
from warehouse.metrics.responses import Floats, Responses, cross

CONFIDENCE_EDGES = np.linspace(0.5, 1.0, 6)


def brier(golden: Responses, proxy: Responses) -> Terms:
    """Minus the mean of (1 − p)², p the probability of the golden order."""
    return _minus_mean(golden, proxy, lambda margin: sigmoid(-margin) ** 2)


def log_loss(golden: Responses, proxy: Responses) -> Terms:
    """Minus the mean of −log p, in nats, p the probability of the golden order."""
    return _minus_mean(golden, proxy, lambda margin: np.logaddexp(0.0, -margin))


def ece(golden: Responses, proxy: Responses) -> Terms:
    """Per bin of confidence, the summed confidence minus the number ordered right, per golden-ordered pair.

    The expected calibration error is the sum over bins of the absolute weighted sums over prompts. A pair seen from
    both sides falls into two bins of σ(b_i − b_j) that mirror one another about ½ and have equal gaps; so METHOD's ten
    equal-width bins of [0, 1] are five of confidence in [½, 1], whichever response comes first. A proxy tie counts ½.
    """
    asked = np.abs(golden.signs)
    confidence = sigmoid(np.abs(proxy.margins))
    bins = np.clip(np.digitize(confidence, CONFIDENCE_EDGES) - 1, 0, len(CONFIDENCE_EDGES) - 2)
    pairs = golden.ordered[:, :, None]
    gaps = []
    for number in range(len(CONFIDENCE_EDGES) - 1):
        inside = bins == number
        # confidence − ½(1 + agreement), summed over the pairs of this bin
        gap = cross(asked, inside * (confidence - 0.5)) - 0.5 * cross(golden.signs, inside * proxy.signs)
        gaps.append(np.divide(gap, pairs, out=np.zeros_like(gap), where=pairs > 0))
    return np.stack(gaps), np.broadcast_to(pairs > 0, gaps[0].shape)


def sigmoid(margins: Floats) -> Floats:
    """Probability that the first of two responses is better, by their score difference; exact in both tails."""
    probability: Floats = np.exp(-np.logaddexp(0.0, -margins))
    return probability


def _minus_mean(golden: Responses, proxy: Responses, loss: Callable[[Floats], Floats]) -> Terms:
    """Minus the mean over golden-ordered pairs of a loss of the proxy's margin in the golden's direction."""
    forward, backward = (golden.signs > 0).astype(np.float64), (golden.signs < 0).astype(np.float64)
    total = cross(forward, loss(proxy.margins)) + cross(backward, loss(-proxy.margins))
    return ratio(-total, golden.ordered[:, :, None])
