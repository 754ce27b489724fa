"""From resampled rows to an interval: the variance of a figure over reward models and prompts, and Student's t.

METHOD, "Intervals". The variance is that of the jackknife over reward models plus that over prompts. Few reward models
give a jackknife that by chance is much too small: so it is at least the figure's spread under random renaming of reward
models, times `(1 − T²)²`, since a correlation T near 1 varies less. Degrees of freedom of t: reward models minus one,
fewer where a few reward models decide.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from warehouse.stats.bootstrap import LEVEL, SMALL_SAMPLE, Bools, Estimate, Floats
from warehouse.stats.correlation import Figure
from warehouse.stats.resampling import Rows

_FEWEST_LEFT_OUT = 3
_FEWEST_DRAWN = 2
_ROUNDING = 1e-9

_FEWEST_DEGREES = 4.0


class Jackknife(NamedTuple):
    """Variance over reward models, degrees of freedom, and what each reward model adds, `[M']`: squares sum to it."""

    variance: float
    degrees: float
    influence: Floats


def jackknife(values: Floats) -> Jackknife:
    """The delete-one jackknife (Efron and Stein 1981) of a figure's values `[M']` with each reward model left out.

    Degrees of freedom are those of a mean of squares with the influences' kurtosis: M' − 1 if they are normal.
    """
    M = len(values)
    influence = np.sqrt((M - 1) / M) * (values.mean() - values)
    squares = influence**2
    spread = float((squares**2).mean() - squares.mean() ** 2)
    degrees = 2 * M * float(squares.mean()) ** 2 / spread if spread > 0 else M - 1.0
    return Jackknife(float(squares.sum()), float(np.clip(degrees, min(_FEWEST_DEGREES, M - 1.0), M - 1.0)), influence)


class Spread(NamedTuple):
    """The sampling variance of a figure, its degrees of freedom, and how many prompt draws it comes from."""

    variance: float
    degrees: float
    draws: int


def spread_of(rows: Rows, figure: Figure) -> Spread | None:
    """The spread of a figure `[rows]`; None if the sample or too many of the altered studies have no value."""
    left_out = without_each(rows, figure)
    drawn = defined_in(rows.prompts, figure)
    if not figure[1][0] or len(drawn) < _FEWEST_DRAWN or len(left_out) < _FEWEST_LEFT_OUT:
        return None
    models = jackknife(left_out)
    over_models = max(models.variance, least_variance(rows, figure)) * small_sample(len(left_out))
    return Spread(over_models + float(drawn.var()), models.degrees, len(drawn))


def least_variance(rows: Rows, figure: Figure) -> float:
    """The least that the variance over reward models may be: `(1 − T²)²` times that of random renamings.

    Where a perfect T is the same in all other altered studies, M' reward models only show that it is above 1 − 1/M'.
    """
    renamed, left_out = defined_in(rows.permuted, figure), without_each(rows, figure)
    if len(renamed) == 0 or len(left_out) == 0:
        return 0.0
    size = abs(float(figure[0][0]))
    if np.ptp(np.concatenate([left_out, defined_in(rows.prompts, figure)])) < _ROUNDING:
        size = min(size, 1.0 - 1.0 / len(left_out))
    return float((1.0 - size**2) ** 2 * renamed.var())


def small_sample(M: float) -> float:
    """By what the jackknife over M reward models is multiplied, since it finds too little of the variance of few."""
    return max(M, SMALL_SAMPLE + 1.0) / (max(M, SMALL_SAMPLE + 1.0) - SMALL_SAMPLE)


def permutation_p(rows: Rows, figure: Figure, *, both_sides: bool = True) -> float | None:
    """The share of random renamings of reward models that predict at least as well (QAP; Hubert 1987).

    Two-sided but for MRR, which is never below 0; the sample counts as one of the renamings. None if undefined.
    """
    value, defined = figure
    renamed = defined_in(rows.permuted, figure)
    if not defined[0] or len(renamed) == 0:
        return None
    if both_sides:
        renamed, sample = np.abs(renamed), abs(float(value[0]))
    else:
        sample = float(value[0])
    return (1 + int((renamed >= sample - 1e-12).sum())) / (1 + len(renamed))


def around(value: float, spread: Spread, *, low: float = -1.0, high: float = 1.0, error: float = 0.0) -> Estimate:
    """The value with its 95 % interval by Student's t, within the figure's range; `error` is added in quadrature."""
    half = t_quantile(spread.degrees) * float(np.sqrt(spread.variance + error**2))
    centre, lower, upper = (min(max(end, low), high) for end in (value, value - half, value + half))
    return Estimate(centre, lower, upper, spread.draws)


def t_quantile(degrees: float, level: float = LEVEL) -> float:
    """The two-sided quantile of Student's t."""
    return _t_quantile(round(degrees, 1), level)


@lru_cache(maxsize=4096)
def _t_quantile(degrees: float, level: float) -> float:
    from scipy import special  # SciPy's statistics take as long to import as the whole package

    return float(special.stdtrit(degrees, 0.5 * (1.0 + level)))


def t_share(t: float, degrees: float) -> float:
    """The share of Student's t below this value."""
    from scipy import special

    return float(special.stdtr(degrees, t))


def without_each(rows: Rows, figure: Figure) -> Floats:
    """The figure `[M']` with each reward model left out that matters, where it is defined."""
    value, defined = (array[rows.left_out][rows.inside] for array in figure)
    return np.asarray(value[defined], dtype=np.float64)


def mean_over(part: slice, figure: Figure) -> float | None:
    """The mean of a figure over the rows of a part in which it is defined; None if there are none."""
    values = defined_in(part, figure)
    return float(values.mean()) if len(values) else None


def defined_in(part: slice, figure: Figure) -> Floats:
    """The figure in those rows of a part in which it is defined."""
    value, defined = figure
    rows: Bools = defined[part]
    return np.asarray(value[part][rows], dtype=np.float64)
