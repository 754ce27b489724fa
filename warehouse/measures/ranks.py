"""Ranks of weighted values, row by row: an entry of weight w stands for w equal entries.

All is linear passes over flat arrays after one sort per row, which is what makes thousands of replicates cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Ranked:
    """Ranks of `[rows, n]` values with whole weights, all in the entries' own order.

    `dense` numbers the distinct values from 0; `below` is the weight of smaller values, `tied` that of equal ones (with
    the entry's own). `total` is each row's weight, `tied_pairs` the sum over distinct values of their squared weight.
    """

    dense: Ints
    below: Floats
    tied: Floats
    total: Floats
    tied_pairs: Floats

    @property
    def ordered(self) -> Floats:
        """Weight `[rows]` of the pairs of entries that differ."""
        return 0.5 * (self.total**2 - self.tied_pairs)


def rank(values: NDArray[np.floating], weights: Floats) -> Ranked:
    """Rank each row of `[rows, n]` values; weights are whole numbers ≥ 0."""
    rows, n = values.shape
    flat, by_row, starts, upto = _in_order(values, weights)
    weight: Floats = by_row.ravel()
    dense = np.cumsum(starts, axis=1) - 1
    total = upto[:, -1].copy()
    if starts.all():
        tied, below = weight, upto.ravel() - weight
    else:
        first = np.flatnonzero(starts.ravel())
        sizes = np.diff(np.append(first, rows * n))
        tied = np.repeat(np.add.reduceat(weight, first), sizes)
        below = np.repeat(upto.ravel()[first] - weight[first], sizes)
    tied_pairs = np.einsum("rn,rn->r", tied.reshape(rows, n), weight.reshape(rows, n))
    dense, below, tied = (_put(array.ravel(), flat).reshape(rows, n) for array in (dense, below, tied))
    return Ranked(dense, below, tied, total, tied_pairs)


def middle_ranks(values: NDArray[np.floating], weights: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Average ranks in the expanded sample, from 1, and which rows vary, in half of the time that all ranks take."""
    flat, weight, starts, upto = _in_order(values, weights)
    below = upto - weight
    if not starts.all():
        below *= starts
        np.maximum.accumulate(below, axis=1, out=below)
        ends = np.ones_like(starts)
        ends[:, :-1] = starts[:, 1:]
        upto = np.minimum.accumulate(np.where(ends, upto, np.inf)[:, ::-1], axis=1)[:, ::-1]
    varies: NDArray[np.bool_] = (below * (weight > 0)).max(axis=1, initial=0.0) > 0
    return _put((0.5 * (below + upto + 1.0)).ravel(), flat).reshape(values.shape), varies


def _in_order(values: NDArray[np.floating], weights: Floats) -> tuple[Ints, Floats, NDArray[np.bool_], Floats]:
    """Each row by its values: flat places of the entries, and `[rows, n]` their weights, where a distinct value starts
    and the weight up to each.
    """
    rows, n = values.shape
    flat = (np.argsort(values, axis=1) + np.arange(rows)[:, None] * n).ravel()
    ordered, weight = (array.ravel().take(flat).reshape(rows, n) for array in (values, weights))
    starts = np.ones((rows, n), dtype=bool)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=starts[:, 1:])
    return flat, weight, starts, np.cumsum(weight, axis=1)


def _put(ordered: NDArray[Any], flat: Ints) -> NDArray[Any]:
    out = np.empty_like(ordered)
    out[flat] = ordered
    return out
