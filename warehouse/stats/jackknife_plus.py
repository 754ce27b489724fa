"""A number predicted from features, with an interval by the jackknife+ (Barber, Candès, Ramdas and Tibshirani 2021).

The regression is fitted again without each example. An interval's ends are quantiles, over examples, of what the fit
without an example predicts, minus or plus how far that fit is off on the example itself. If the new example and the
others are exchangeable, an interval of level 1 − α covers with probability 1 − 2α or more, whatever the truth, and
typically with about 1 − α. Shapes: U questions side by side, N examples with a known value, K features, T new examples.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np

from warehouse.stats.bootstrap import Bools, Floats

FAR = 0.5
"""A feature this many standard deviations beyond the range of the examples is outside of it."""

_ROUNDING = 1e-9


class Predicted(NamedTuple):
    """What is predicted of each new example, and its interval: all `[U, T]`; infinite from too few examples."""

    value_UT: Floats
    low_UT: Floats
    high_UT: Floats


class _Fits(NamedTuple):
    """Ridge regressions on all examples, and without each of them: F = 1 + N of each question.

    `scatter_UFKK` are the sums of squares and products about the centre, the diagonal raised by the penalty.
    """

    count_UF: Floats
    centre_UFK: Floats
    mean_UF: Floats
    slope_UFK: Floats
    scatter_UFKK: Floats

    def at(self, new_UTK: Floats) -> Floats:
        """What each fit predicts of new examples, `[U, F, T]`."""
        deviation_UFTK = new_UTK[:, None] - self.centre_UFK[:, :, None]
        predicted: Floats = self.mean_UF[..., None] + (deviation_UFTK * self.slope_UFK[:, :, None]).sum(axis=3)
        return predicted

    def at_left_out(self, features_UNK: Floats) -> Floats:
        """What each fit but the first predicts of the example that it is without, `[U, N]`."""
        deviation_UNK = features_UNK - self.centre_UFK[:, 1:]
        predicted: Floats = self.mean_UF[:, 1:] + (deviation_UNK * self.slope_UFK[:, 1:]).sum(axis=2)
        return predicted

    def distances(self, new_UTK: Floats) -> Floats:
        """Squared distance of new examples from the centre of the first fit, in its own scatter: `[U, T]`."""
        return _distances(new_UTK, self.count_UF[:, :1], self.centre_UFK[:, :1], self.scatter_UFKK[:, :1])

    def distances_left_out(self, features_UNK: Floats) -> Floats:
        """That of each example in the fit without it, `[U, N]`."""
        return _distances(features_UNK, self.count_UF[:, 1:], self.centre_UFK[:, 1:], self.scatter_UFKK[:, 1:])


def _distances(new_UTK: Floats, count_UT: Floats, centre_UTK: Floats, scatter_UTKK: Floats) -> Floats:
    deviation_UTK = new_UTK - centre_UTK
    solved_UTK = np.linalg.solve(scatter_UTKK, deviation_UTK[..., None])[..., 0]
    squared: Floats = count_UT * (deviation_UTK * solved_UTK).sum(axis=2)
    return squared


def jackknife_plus(
    features_UNK: Floats, value_UN: Floats, known_UN: Bools, new_UTK: Floats, *, ridge: float, level: float
) -> Predicted:
    """Predict by ridge regression on standardised features; `ridge` counts as this many further examples without slope.

    Only `known_UN` examples count. Without features (K = 0) the mean is predicted. With several features, `ridge` has
    to be above 0, as they may be collinear.
    """
    fits = _fitted(features_UNK, value_UN, known_UN, ridge)
    miss_UN1 = np.abs(value_UN - fits.at_left_out(features_UNK))[..., None]
    predicted_UFT = fits.at(new_UTK)
    counted_UN1 = known_UN[..., None]
    below_UNT = np.sort(np.where(counted_UN1, predicted_UFT[:, 1:] - miss_UN1, np.inf), axis=1)
    above_UNT = np.sort(np.where(counted_UN1, -predicted_UFT[:, 1:] - miss_UN1, np.inf), axis=1)
    place_U = np.floor((1.0 - level) * (known_UN.sum(axis=1) + 1) + _ROUNDING).astype(np.int64)
    place_U11 = np.maximum(place_U, 1)[:, None, None] - 1
    finite_U1 = place_U[:, None] > 0
    low_UT, high_UT = (np.take_along_axis(side, place_U11, axis=1)[:, 0] for side in (below_UNT, above_UNT))
    return Predicted(
        predicted_UFT[:, 0],
        np.where(finite_U1, low_UT, -np.inf),
        np.where(finite_U1, -high_UT, np.inf),
    )


def fewest(level: float) -> int:
    """The fewest examples from which an interval of this level is finite."""
    return ceil(1.0 / (1.0 - level) - _ROUNDING) - 1


def outside(features_UNK: Floats, known_UN: Bools, new_UTK: Floats, *, ridge: float) -> Bools:
    """Which new examples the features of the known ones do not cover, `[U, T]`.

    Those with a feature beyond their range by more than half its standard deviation (`FAR`), and those that are farther
    from the centre, in the scatter of all features, than any of the known ones is from the others.
    """
    fits = _fitted(features_UNK, np.zeros(known_UN.shape), known_UN, ridge)
    farthest_U = np.where(known_UN, fits.distances_left_out(features_UNK), 0.0).max(axis=1)
    far_UT = fits.distances(new_UTK) > farthest_U[:, None] * (1.0 + _ROUNDING)
    least_UK, greatest_UK = (fill(features_UNK, known_UN) for fill in (_least, _greatest))
    spread_UK = _spread(features_UNK, known_UN)
    slack_U1K = (FAR * spread_UK + _ROUNDING)[:, None]
    beyond_UTK = (new_UTK < least_UK[:, None] - slack_U1K) | (new_UTK > greatest_UK[:, None] + slack_U1K)
    return np.asarray(far_UT | beyond_UTK.any(axis=2))


def _fitted(features_UNK: Floats, value_UN: Floats, known_UN: Bools, ridge: float) -> _Fits:
    """Sums over all known examples, from which each is taken off in turn."""
    K = features_UNK.shape[2]
    weight_UN = known_UN.astype(np.float64)
    count_U1 = weight_UN.sum(axis=1, keepdims=True)
    share_UN = weight_UN / np.maximum(count_U1, 1.0)
    middle_U1K = share_UN[:, None] @ features_UNK  # sums are about the means, as those about 0 would lose digits
    level_U1 = (share_UN * np.where(known_UN, value_UN, 0.0)).sum(axis=1, keepdims=True)
    x_UNK = np.where(known_UN[..., None], features_UNK - middle_U1K, 0.0)
    y_UN = np.where(known_UN, value_UN - level_U1, 0.0)

    def without_each(terms: Floats) -> Floats:
        """Sums over all and without each, `[U, F, …]`, of terms `[U, N, …]`."""
        total = terms.sum(axis=1, keepdims=True)
        return np.concatenate([total, total - terms], axis=1)

    count_UF = without_each(weight_UN)
    divisor_UF1 = np.maximum(count_UF, 1.0)[..., None]
    centre_UFK = without_each(x_UNK) / divisor_UF1
    mean_UF = without_each(y_UN) / divisor_UF1[..., 0]
    scatter_UFKK = without_each(x_UNK[..., :, None] * x_UNK[..., None, :])
    scatter_UFKK -= count_UF[..., None, None] * centre_UFK[..., :, None] * centre_UFK[..., None, :]
    common_UFK = without_each(x_UNK * y_UN[..., None]) - (count_UF * mean_UF)[..., None] * centre_UFK
    diagonal = np.arange(K)
    size_UFK = scatter_UFKK[..., diagonal, diagonal]
    alike_UFK = size_UFK <= _ROUNDING * (middle_U1K + centre_UFK) ** 2 + 1e-30
    scatter_UFKK[..., diagonal, diagonal] = np.where(alike_UFK, 1.0, size_UFK * (1.0 + ridge / divisor_UF1))
    slope_UFK = np.linalg.solve(scatter_UFKK, common_UFK[..., None])[..., 0]
    return _Fits(
        count_UF, centre_UFK + middle_U1K, mean_UF + level_U1, np.where(alike_UFK, 0.0, slope_UFK), scatter_UFKK
    )


def _least(features_UNK: Floats, known_UN: Bools) -> Floats:
    least: Floats = np.where(known_UN[..., None], features_UNK, np.inf).min(axis=1)
    return least


def _greatest(features_UNK: Floats, known_UN: Bools) -> Floats:
    return -_least(-features_UNK, known_UN)


def _spread(features_UNK: Floats, known_UN: Bools) -> Floats:
    """Standard deviation of each feature over the known examples, `[U, K]`."""
    count_U1 = np.maximum(known_UN.sum(axis=1), 1)[:, None]
    counted_UN1 = known_UN[..., None]
    mean_UK = np.where(counted_UN1, features_UNK, 0.0).sum(axis=1) / count_U1
    squares_UK = np.where(counted_UN1, (features_UNK - mean_UK[:, None]) ** 2, 0.0).sum(axis=1)
    spread: Floats = np.sqrt(squares_UK / np.maximum(count_U1 - 1, 1))
    return spread
