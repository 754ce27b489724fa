"""The laws of overoptimisation: gain against distance from the initial policy, least-squares fits, and the degree γ.

Gao et al. (arXiv 2210.10760): with d = √KL, the gain over the initial policy is `d(α − β d)` for best-of-n and
`d(α − β log d)` for RL. Both are linear in α and β and pass through the origin, so least squares solves them exactly,
for all replicates of a curve at once: `B` of them. The degree of overoptimisation of a pair is γ = ∫|f − g| / ∫f over
KL from 0 to the largest (Kim et al., arXiv 2505.12763), with `f` the golden curve when the golden reward model is
optimised, `g` when the proxy is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from warehouse.schema import BY_WEIGHTING, RL_ALGORITHMS
from warehouse.stats.bootstrap import Bools, Floats

Law = Literal["best-of-n", "rl"]

LAWS: Mapping[str, Law] = {**dict.fromkeys(BY_WEIGHTING, "best-of-n"), **dict.fromkeys(RL_ALGORITHMS, "rl")}
"""The law that the gain of an optimiser's policies follows; of tilted ones, whose own gain is √2·d for normal scores,
that of best-of-n."""

FEWEST_POINTS = 3
_LARGEST_EXPONENT = 700.0  # e to a greater power overflows; such a distance is beyond any that a policy reaches


def coefficients_of(distance_S: Floats, gain_SB: Floats, law: Law) -> Floats | None:
    """Least-squares α and β `[2, B]` of B curves of gains at the same S distances √KL, all points weighing the same.

    None where fewer than FEWEST_POINTS distances are above 0 (at 0 every curve is 0) or all of those are equal.
    """
    moved = distance_S > 0
    if moved.sum() < FEWEST_POINTS or len(np.unique(distance_S[moved])) < 2:
        return None
    design = np.stack(_basis(distance_S[moved], law), axis=1)
    solved: Floats = np.linalg.pinv(design) @ gain_SB[moved]
    return solved


def gains_at(coefficients: Floats | tuple[float, float], distance_D: Floats, law: Law) -> Floats:
    """Gains `[D]` of the curve with these α and β at distances √KL, 0 or more."""
    first, second = _basis(distance_D, law)
    return coefficients[0] * first + coefficients[1] * second


def peaks(coefficients_2B: Floats, law: Law) -> tuple[Floats, Bools]:
    """Distances √KL `[B]` of the curves' peaks, and which curves have one: those that bend down."""
    alpha_B, beta_B = coefficients_2B
    bends_B = (beta_B > 0) & (alpha_B > 0) if law == "best-of-n" else beta_B > 0
    ratio_B = np.divide(alpha_B, beta_B, out=np.zeros_like(alpha_B), where=bends_B)
    bends_B &= ratio_B < _LARGEST_EXPONENT
    if law == "best-of-n":
        return ratio_B / 2, bends_B
    return np.exp(np.where(bends_B, ratio_B, 0.0) - 1), bends_B


def degrees(own_2B: Floats, golden_2B: Floats, farthest: float, law: Law) -> tuple[Floats, Bools]:
    """γ `[B]` of B pairs of curves up to the distance `farthest` > 0, and where it is defined.

    `own_2B` are α and β of the golden curves under the golden's own optimisation, `golden_2B` under the proxy's.
    Undefined where optimising the golden reward model itself gains nothing.
    """
    D = np.full(own_2B.shape[1:], farthest)
    under = _area(own_2B, D, law)
    between = own_2B - golden_2B
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = between[0] / between[1]
        crossing = ratio if law == "best-of-n" else np.exp(np.minimum(ratio, _LARGEST_EXPONENT))
    crosses = (between[1] != 0) & (crossing > 0) & (crossing < farthest)
    before = _area(between, np.where(crosses, crossing, D), law)
    total = np.abs(before) + np.abs(_area(between, D, law) - before)
    defined = under > 0
    return np.divide(total, under, out=np.zeros_like(total), where=defined), defined


def _basis(d: Floats, law: Law) -> tuple[Floats, Floats]:
    """What α and β are multiplied by."""
    if law == "best-of-n":
        return d, -(d**2)
    return d, -d * np.log(d, out=np.zeros_like(d), where=d > 0)


def _area(coefficients_2B: Floats, D: Floats, law: Law) -> Floats:
    """∫ over KL from 0 to D², that is ∫ curve(d)·2d over d from 0 to D."""
    alpha, beta = coefficients_2B
    cubed = D * D * D  # powers of arrays take many times as long
    if law == "best-of-n":
        return 2 * cubed * (alpha / 3 - beta * D / 4)
    return 2 * cubed * (alpha / 3 - beta * (np.log(D) / 3 - 1 / 9))
