"""The correlation without noise, of which an interval is to contain the mean over studies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warehouse.stats.across_pairs import LEVELS, PairValues, correlate


def true_correlation(
    measure_MM: NDArray[np.float64],
    ndr_MM: NDArray[np.float64],
    name: str = "kendall",
    level: str = "pooled",
    pair_MM: NDArray[np.bool_] | None = None,
) -> float:
    """The correlation of these values and NDR `[M, M]` over these pairs, all if not given; NaN if undefined."""
    M = len(measure_MM)
    pairs = ~np.eye(M, dtype=bool) if pair_MM is None else pair_MM
    values = PairValues(measure_MM.reshape(1, -1), np.ones((1, M * M), dtype=bool), np.arange(M * M).reshape(M, M))
    (figures,) = correlate([values], ndr_MM[None], pairs[None], *[np.ones((1, M))] * 2, selected=((name, level),))
    value, defined = figures[LEVELS.index(level)][name]
    return float(value[0]) if defined[0] else np.nan
