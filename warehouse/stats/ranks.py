"""Ranks of values row by row: with weights, where an entry of weight w counts as w equal entries, and without.

After one sort per row everything is a linear pass over flat arrays, which makes thousands of replicates cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Ranked:
    """Ranks of `[rows, n]` values with whole weights, in the order of the entries.

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
    """Average ranks from 1 `[rows, n]`, and which rows vary `[rows]`; takes half the time of `rank`."""
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


class _Ordered(NamedTuple):
    """Each row sorted: flat places of entries; `[rows, n]` weights, starts of distinct values, weights up to each."""

    flat: Ints
    weight: Floats
    starts: NDArray[np.bool_]
    upto: Floats


def _in_order(values: NDArray[np.floating], weights: Floats) -> _Ordered:
    rows, n = values.shape
    flat = (np.argsort(values, axis=1) + np.arange(rows)[:, None] * n).ravel()
    ordered, weight = (array.ravel().take(flat).reshape(rows, n) for array in (values, weights))
    starts = np.ones((rows, n), dtype=bool)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=starts[:, 1:])
    return _Ordered(flat, weight, starts, np.cumsum(weight, axis=1))


def _put(ordered: NDArray[Any], flat: Ints) -> NDArray[Any]:
    out = np.empty_like(ordered)
    out[flat] = ordered
    return out


_FEW = 12


def tie_bounds(values: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each entry, how many of the last axis are less, and how many are less or equal; of the shape of `values`."""
    if values.shape[-1] <= _FEW:
        return _compared(values)
    shape, N = values.shape, values.shape[-1]
    rows = values.reshape(-1, N)
    order = np.argsort(rows, axis=-1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=-1)
    places = np.broadcast_to(np.arange(N), rows.shape)
    starts = np.ones(rows.shape, dtype=bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = np.ones(rows.shape, dtype=bool)
    ends[:, :-1] = starts[:, 1:]
    below, upto = np.empty(rows.shape, dtype=np.int64), np.empty(rows.shape, dtype=np.int64)
    np.put_along_axis(below, order, np.maximum.accumulate(np.where(starts, places, 0), axis=-1), axis=-1)
    last = np.flip(np.minimum.accumulate(np.flip(np.where(ends, places + 1, N), -1), axis=-1), -1)
    np.put_along_axis(upto, order, last, axis=-1)
    return below.reshape(shape), upto.reshape(shape)


def _compared(values: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`tie_bounds` by comparing all pairs of entries, in all rows at once: faster than sorting for few entries."""
    columns = np.ascontiguousarray(np.moveaxis(values, -1, 0))
    below, above = np.zeros(columns.shape, dtype=np.int8), np.zeros(columns.shape, dtype=np.int8)
    for i, j in combinations(range(len(columns)), 2):
        less, more = (columns[i] < columns[j]).view(np.int8), (columns[j] < columns[i]).view(np.int8)
        above[i] += less
        below[j] += less
        above[j] += more
        below[i] += more
    lower, upper = (np.moveaxis(count, 0, -1).astype(np.int64) for count in (below, above))
    return lower, len(columns) - upper


def extremes(values: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Minimum and maximum over the last axis, which is gone from the shape.

    Few entries are compared column by column, in a fourth of the time.
    """
    if values.shape[-1] > _FEW:
        return np.asarray(values.min(axis=-1)), np.asarray(values.max(axis=-1))
    lowest, highest = values[..., 0].copy(), values[..., 0].copy()
    for entry in range(1, values.shape[-1]):
        np.minimum(lowest, values[..., entry], out=lowest)
        np.maximum(highest, values[..., entry], out=highest)
    return lowest, highest
