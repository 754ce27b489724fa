"""What a policy gains for how far it moved: the golden gain per nat of KL, and the efficiency of the optimiser.

METHOD, "Optimisers": efficiency = gain² / (2·KL), with the gain in standard deviations of the golden within prompts and
KL in nats; 1 for an ideal tilt of normal scores. The KL of best-of-n is an upper bound, so both are lower bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from warehouse.stats.bootstrap import NOTHING, Estimate
from warehouse.study.choice.worth import Worth
from warehouse.study.power import t_interval


class PerNat(NamedTuple):
    """Of one policy: its KL in nats, None if unknown, and both figures, undefined unless the KL is above 0.

    Intervals are those of the gain, with the KL as it is. A policy that does not gain has an efficiency of 0.
    """

    kl: float | None
    gain: Estimate
    efficiency: Estimate


def per_nat(gain: Estimate, kl: float | None) -> PerNat:
    """From a gain in standard deviations and a KL in nats."""
    if kl is None or kl <= 0 or gain.value is None:
        return PerNat(kl, NOTHING, NOTHING)
    return PerNat(kl, _of_ends(gain, lambda end: end / kl), _of_ends(gain, lambda end: max(end, 0.0) ** 2 / (2.0 * kl)))


def each_per_nat(worth: Worth, kl: Mapping[str, float]) -> tuple[PerNat, ...]:
    """Of each candidate, from the known KLs of their policies by name; empty for a measure."""
    if worth.gains_MQ is None:
        return ()
    return tuple(
        per_nat(t_interval(gain_Q), kl.get(name)) for name, gain_Q in zip(worth.candidates, worth.gains_MQ, strict=True)
    )


def _of_ends(gain: Estimate, figure: Callable[[float], float]) -> Estimate:
    """A figure that grows with the gain, of the gain and both ends of its interval."""
    value, low, high = (None if end is None else figure(end) for end in (gain.value, gain.low, gain.high))
    return Estimate(value, low, high, gain.replicates)
