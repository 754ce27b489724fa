"""Product-moment correlations of weighted pairs, for many replicates at once: a repeated pair is a weight, not a copy.

`x`, `y` and the whole weights `w ≥ 0` are `[B, n]`. Each figure equals that of the sample in which entry i stands w_i
times: Pearson r, and Spearman ρ as Pearson r of `middle_ranks`. Kendall τ-b is in `kendall`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Figure = tuple[Floats, Bools]
"""Values `[B]` and where they are defined; the value is 0 where it is not."""


class ProductMoment:
    """Pearson r of many sides with one, `y`, of whose varying is known: `y_varies` says which rows are not constant."""

    def __init__(self, y: NDArray[np.floating], y_varies: Bools, w: Floats) -> None:
        total = w.sum(axis=1, keepdims=True)
        self._share = np.divide(w, total, out=np.zeros_like(w), where=total > 0)
        dy = y - np.einsum("bn,bn->b", self._share, y)[:, None]
        self._weighted = self._share * dy
        self._spread = np.sqrt(np.einsum("bn,bn->b", self._weighted, dy))
        self._varies = y_varies

    def of(self, x: NDArray[np.floating], x_varies: Bools) -> Figure:
        """r of x with y; undefined where either is constant over the entries that have weight."""
        dx = x - np.einsum("bn,bn->b", self._share, x)[:, None]
        covariance = np.einsum("bn,bn->b", self._weighted, dx)
        spread = self._spread * np.sqrt(np.einsum("bn,bn,bn->b", self._share, dx, dx))
        defined = self._varies & x_varies & (spread > 0)
        value = np.divide(covariance, spread, out=np.zeros_like(covariance), where=defined)
        return np.clip(value, -1.0, 1.0), defined


def varies(x: NDArray[np.floating], w: Floats) -> Bools:
    """Whether a row has two distinct values of positive weight."""
    there = w > 0
    highest = np.where(there, x, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(there, x, np.inf).min(axis=1, initial=np.inf)
    found: Bools = highest > lowest
    return found
