"""Does Goodhart's curve hold? A test of the pairs' mean residuals in bins of accuracy, against null studies.

METHOD, "Overoptimisation and Goodhart". Pairs are binned by accuracy on one half of the RM-test prompts, the residual
slope − curve(accuracy) is taken on the other half, both ways are averaged. Binned by the very accuracies that are
tested, the curve would miss even where it is true: a pair is in the lowest bin partly because its accuracy came out low
by chance.

A null study is this study with the curve made true: every pair's slope is put on the curve of its accuracy, and both
get the noise of resampled prompts, the halves each their own. So it has the run's own reward models, strengths, prompts
and responses, whatever the optimiser. All steps are repeated in it, the binning too. Null studies give
- the mean residuals under a true curve: the curve bends, so accuracies with noise lie below it on average, and a slope
  is a ratio;
- their covariance, with what the halves share because each is binned by the other.
Their distance from the sample's residuals is Hotelling's T². Its F distribution allows for a covariance estimated from
few prompts: `degrees_of_freedom`.

Shapes: `C` pairs, `B` null studies, `K` bins; arrays `[1 + B, C]` have the sample first, then the resampled prompts.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from warehouse.stats.bootstrap import Floats

_CHUNK_ENTRIES = 2_000_000


def slope_of_accuracy(accuracy: NDArray[np.floating]) -> Floats:
    """Standardised golden gain per standardised proxy gain at this accuracy, same shape: sin(π(accuracy − ½))."""
    return np.sin(np.pi * (np.asarray(accuracy, dtype=np.float64) - 0.5))


class Pairs(NamedTuple):
    """Pairs that are defined in the sample and in all replicates.

    `accuracy_C` is on all RM-test prompts, `halves_BC` on either half of them, `slope_BC` along the strengths.
    """

    accuracy_C: Floats
    halves_BC: tuple[Floats, Floats]
    slope_BC: Floats


class CurveTest(NamedTuple):
    """Hotelling's T² of `bins` mean residuals, the prompts' degrees of freedom, and p; None where it cannot be had."""

    t2: float | None
    bins: int
    degrees: float | None
    p_value: float | None


def curve_test(pairs: Pairs, *, bins: int, rm_prompts: int, rl_prompts: int) -> CurveTest:
    """The test over `bins` bins, or one per pair if there are fewer, with the numbers of prompts that were resampled.

    Undefined for fewer than 2K + 2 null studies, for residuals without any noise, and for so few prompts that their
    covariance says nothing.
    """
    (first_BC, second_BC), slope_BC = pairs.halves_BC, pairs.slope_BC
    B, C = len(slope_BC) - 1, slope_BC.shape[1]
    K = min(bins, C)
    if K == 0 or B < 2 * K + 2 or rm_prompts < 4 or rl_prompts < 2:
        return CurveTest(t2=None, bins=K, degrees=None, p_value=None)
    observed_K = _residuals(first_BC[:1], second_BC[:1], slope_BC[:1], K)[0]
    rl_BK, rm_BK = _null_residuals(pairs, K, rm_prompts=rm_prompts, rl_prompts=rl_prompts)
    null_BK = rl_BK + rm_BK
    covariance = _covariance(null_BK)
    rank = int(np.linalg.matrix_rank(covariance))
    if rank == 0:
        return CurveTest(t2=None, bins=0, degrees=None, p_value=None)
    inverse = np.linalg.pinv(covariance).astype(np.float64)
    parts = ((_covariance(rl_BK), rl_prompts - 1), (_covariance(rm_BK), rm_prompts - 2))
    degrees = 1.0 / (1.0 / degrees_of_freedom(parts, inverse) + 1.0 / (B - 1))
    if degrees <= rank:
        return CurveTest(t2=None, bins=rank, degrees=degrees, p_value=None)
    distance_K = observed_K - null_BK.mean(axis=0)
    t2 = float(distance_K @ inverse @ distance_K)
    left = degrees - rank + 1
    return CurveTest(t2, rank, degrees, float(special.fdtrc(rank, left, t2 * left / (degrees * rank))))


def degrees_of_freedom(parts: tuple[tuple[Floats, int], ...], inverse_KK: Floats) -> float:
    """Degrees of freedom of a covariance that is a sum of independent ones, `(covariance [K, K], its degrees)` each.

    Satterthwaite's for matrices (Nel and van der Merwe 1986), in units in which the sum is the identity; at least 1.
    """
    total, each = np.zeros_like(inverse_KK), 0.0
    for covariance, degrees in parts:
        scaled = covariance @ inverse_KK
        total += scaled
        each += _size(scaled) / max(1, degrees)
    return float(max(1.0, _size(total) / each))


def _size(matrix: Floats) -> float:
    return float(np.trace(matrix @ matrix) + np.trace(matrix) ** 2)


def _null_residuals(pairs: Pairs, K: int, *, rm_prompts: int, rl_prompts: int) -> tuple[Floats, Floats]:
    """Mean residuals `[B, K]` of the null studies, in what the RL-test prompts and the RM-test prompts add.

    Resampling n prompts gives (n − 1)/n of the variance that n prompts have; the noise is scaled up by that.
    """
    of_half, of_rl = (np.sqrt(n / (n - 1)) for n in (rm_prompts / 2, rl_prompts))
    B, C = len(pairs.slope_BC) - 1, pairs.slope_BC.shape[1]
    curve_C = slope_of_accuracy(pairs.accuracy_C)
    of_slopes, of_accuracies = np.empty((B, K)), np.empty((B, K))
    step = max(1, _CHUNK_ENTRIES // C)
    for start in range(0, B, step):
        rows = slice(1 + start, 1 + start + step)
        noise_BC = of_rl * (pairs.slope_BC[rows] - pairs.slope_BC[0])
        first_BC, second_BC = (pairs.accuracy_C + of_half * (half_BC[rows] - half_BC[0]) for half_BC in pairs.halves_BC)
        chunk = slice(start, start + len(noise_BC))
        of_slopes[chunk] = (_binned(first_BC, noise_BC, K) + _binned(second_BC, noise_BC, K)) / 2
        of_accuracies[chunk] = _residuals(first_BC, second_BC, np.broadcast_to(curve_C, first_BC.shape), K)
    return of_slopes, of_accuracies


def _residuals(first_BC: Floats, second_BC: Floats, slope_BC: Floats, K: int) -> Floats:
    """Mean residuals `[B, K]`, binned by one half's accuracy and measured on the other's, both ways averaged."""
    by_first = _binned(first_BC, slope_BC - slope_of_accuracy(second_BC), K)
    return (by_first + _binned(second_BC, slope_BC - slope_of_accuracy(first_BC), K)) / 2


def _binned(accuracy_BC: Floats, values_BC: Floats, K: int) -> Floats:
    """Means `[B, K]` of the values in K bins of equally many pairs by accuracy, in every row its own."""
    edges = np.linspace(0, accuracy_BC.shape[1], K + 1).round().astype(int)
    order_BC = np.argpartition(accuracy_BC, edges[1:-1], axis=1) if K > 1 else np.argsort(accuracy_BC, axis=1)
    ordered_BC = np.take_along_axis(values_BC, order_BC, axis=1)
    return np.stack([ordered_BC[:, low:high].mean(axis=1) for low, high in pairwise(edges)], axis=1)


def _covariance(values_BK: Floats) -> Floats:
    return np.atleast_2d(np.cov(values_BK, rowvar=False))
