"""What a correlation would be without the noise of the prompts: simulation and extrapolation (SIMEX).

METHOD, "Intervals"; Cook and Stefanski 1994. A side's noise is added once, twice and three times, and how the
correlation falls is extrapolated back to less noise than there is, in two ways:

- a parabola through the four values: right for moderate noise, too low where the truth is near 1, from which even a
  little noise takes much;
- the law of attenuation, `r(λ) = r(0) / √(1 + λc)`, which holds exactly for Pearson r under independent noise (Spearman
  1904), and for Kendall τ of normal values by `r = sin(πτ/2)`: right near 1, too high where values come in clumps.

Below LOW the first is used, above HIGH the second, in between a mixture; half of their distance counts as an error. Of
alternatives tried, straight lines and logarithms were worse (`docs/calibration.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.stats.resampling import NOISE_LEVELS

LOW, HIGH = 0.6, 0.9
_MOST_ATTENUATED = 0.9
_LEAST = 0.05
_MOST_FACTOR = 2.5


class Side(NamedTuple):
    """How a correlation falls with the noise of one side: its mean at each of NOISE_LEVELS.

    `noise` is the share of the side's noise that is to remain: 0 for none, 1 leaves the side as it is.
    """

    values: Sequence[float]
    noise: float


class Corrected(NamedTuple):
    """A corrected correlation, the factor by which sampling errors grow with it, and the error of extrapolating."""

    value: float
    factor: float
    error: float


def corrected(sample: float, sides: Sequence[Side], name: str) -> Corrected:
    """The correlation `name` with the noise of these sides reduced; MRR, which is none, by the parabola alone."""
    by_parabola, by_law = ways(sample, sides, name)
    if name == "mrr":
        value = float(np.clip(by_parabola, 0.0, 1.0))
        return Corrected(value, _factor(value, sample), 0.0)
    share = float(np.clip((abs(by_parabola) - LOW) / (HIGH - LOW), 0.0, 1.0))
    value = (1.0 - share) * by_parabola + share * by_law
    return Corrected(value, _factor(value, sample), 0.5 * abs(by_law - by_parabola))


class Ways(NamedTuple):
    """The correlation by either way of extrapolating."""

    by_parabola: float
    by_law: float


def ways(sample: float, sides: Sequence[Side], name: str) -> Ways:
    """The correlation `name` with the noise of these sides reduced in both ways, one side after the other."""
    by_parabola, shrunk = sample, 1.0
    for side in sides:
        if abs(sample) > _LEAST:
            by_parabola *= parabola(sample, side) / sample
        else:
            by_parabola += parabola(sample, side) - sample
        shrunk *= 1.0 - (1.0 - side.noise) * _attenuation(sample, side, name)
    by_law = _from_normal(float(np.clip(_to_normal(sample, name) / np.sqrt(shrunk), -1.0, 1.0)), name)
    return Ways(float(np.clip(by_parabola, -1.0, 1.0)), by_law)


def _factor(value: float, sample: float) -> float:
    """How errors grow: as the value does, but where it is near 0, that ratio is itself noise."""
    if abs(sample) < _LEAST / 10:
        return 1.0
    ratio = float(np.clip(value / sample, 1.0, _MOST_FACTOR))
    return 1.0 + (ratio - 1.0) * min(1.0, abs(sample) / (2 * _LEAST))


def parabola(sample: float, side: Side) -> float:
    """The least-squares parabola through the values, at the noise that is to remain."""
    return float(_weights(side.noise) @ np.array([sample, *side.values]))


@lru_cache(maxsize=8)
def _weights(noise: float) -> NDArray[np.float64]:
    """Of the least-squares parabola through the noise levels, at this share of the noise."""
    levels = np.array([0.0, *NOISE_LEVELS])
    weights: NDArray[np.float64] = (np.vander([noise - 1.0], 3) @ np.linalg.pinv(np.vander(levels, 3)))[0]
    return weights


def _attenuation(sample: float, side: Side, name: str) -> float:
    """c of the law, by least squares of (r(0) / r(λ))² − 1 on λ; from 0 to 0.9."""
    levels = np.array(NOISE_LEVELS, dtype=np.float64)
    base = _to_normal(sample, name)
    at = np.array([_to_normal(value, name) for value in side.values])
    at = np.where(np.abs(at) < _LEAST, np.copysign(_LEAST, at), at)
    c = float(((base / at) ** 2 - 1.0) @ levels / (levels @ levels))
    return min(max(c, 0.0), _MOST_ATTENUATED)


def _to_normal(value: float, name: str) -> float:
    return float(np.sin(0.5 * np.pi * value)) if name == "kendall" else value


def _from_normal(r: float, name: str) -> float:
    return float(2.0 / np.pi * np.arcsin(r)) if name == "kendall" else r
