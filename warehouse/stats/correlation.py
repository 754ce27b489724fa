"""Weighted correlations of many sides with one, row by row: what a bootstrap of many measures against one NDR needs.

An entry of weight w counts as w equal entries, so that a replicate is a row of weights and never a copy of the data.
Every figure equals that of the sample in which entry i is repeated w_i times: Pearson r; Spearman ρ as Pearson r of
`ranks.middle_ranks`; Kendall τ-b.

With S_x the weight of the pairs of entries that x orders, and C and D the weight of those that x and y order the same
way and the opposite way, τ-b = (C − D) / √(S_x S_y). C − D and S_x are counted in one of two ways, whichever is faster:

- Comparing: entries are put into y's order, then each is compared with all later ones, in all rows and sides at once.
  That is n² / 2 comparisons a row, but of bytes, dozens to an instruction.
- Merging sorted halves (Knight 1966): O(n log² n) a row, as NumPy does it.

For up to 256 entries comparing takes between a seventh and two thirds of the time of merging; merging takes half of the
time of comparing at 380 to 600 entries, and a thirtieth at 4,000. To measure it again, set MOST_ENTRIES to 0 and run
`python -m tests.benchmarks.report_measures`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warehouse.stats.bootstrap import Bools, Floats
from warehouse.stats.ranks import Ranked, rank

Ints = NDArray[np.int64]
Whole = NDArray[np.signedinteger[Any]]
Bytes = NDArray[np.uint8]
Figure = tuple[Floats, Bools]
"""Values `[B]` and where they are defined; the value is 0 where it is not."""

MOST_ENTRIES = 256
_HEAVIEST_ROW = 2**16 - 1
_HEAVIEST = 2**8 - 1
_STEPS = 25
_AS_THEY_ARE = 40
"""Up to this many entries, the values themselves are compared: ranks of a byte would cost more than they save."""

_LEAF = 12


# Pearson and Spearman -------------------------------------------------------------------------------------------------


class ProductMoment:
    """Pearson r of many sides with one, `y`; `y_varies` says which of its rows are not constant. All are `[B, n]`."""

    def __init__(self, y: NDArray[np.floating], y_varies: Bools, w: Floats) -> None:
        total = w.sum(axis=1, keepdims=True)
        self._share = np.divide(w, total, out=np.zeros_like(w), where=total > 0)
        dy = y - np.einsum("bn,bn->b", self._share, y)[:, None]
        self._weighted = self._share * dy
        self._spread = np.sqrt(np.einsum("bn,bn->b", self._weighted, dy))
        self._varies = y_varies

    def of(self, x: NDArray[np.floating], x_varies: Bools) -> Figure:
        """r `[B]` of x `[B, n]` with y; undefined where either is constant over the entries that have weight."""
        dx = x - np.einsum("bn,bn->b", self._share, x)[:, None]
        covariance = np.einsum("bn,bn->b", self._weighted, dx)
        spread = self._spread * np.sqrt(np.einsum("bn,bn,bn->b", self._share, dx, dx))
        defined = self._varies & x_varies & (spread > 0)
        value = np.divide(covariance, spread, out=np.zeros_like(covariance), where=defined)
        return np.clip(value, -1.0, 1.0), defined


def varies(x: NDArray[np.floating], w: Floats) -> Bools:
    """Which rows of `[B, n]` have two distinct values of positive weight."""
    drawn = w > 0
    highest = np.where(drawn, x, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(drawn, x, np.inf).min(axis=1, initial=np.inf)
    return np.asarray(highest > lowest)


# Kendall --------------------------------------------------------------------------------------------------------------


class Against:
    """One side, y `[rows, n]`, with whole weights of the same shape; it is prepared once for all other sides."""

    def __init__(self, y: NDArray[np.floating], w: Floats) -> None:
        self._y, self._w = y, w

    def tau(self, x: NDArray[np.floating]) -> tuple[Floats, Bools]:
        """τ-b of each of K sides `[K, rows, n]` with y and where it is defined, both `[K, rows]`; 0 where it is not.

        Undefined where either side is constant over the entries that have weight.
        """
        if _pays(self._w, len(x)):
            return _tau(*self._compared.balance(x), self._compared.ordered)
        balance, ordered = np.empty((2, *x.shape[:2]))
        for k, side in enumerate(x):
            balance[k], ordered[k] = _merged(rank(side, self._w), self.ranks, self._w)
        return _tau(balance, ordered, self.ranks.ordered)

    @cached_property
    def ranks(self) -> Ranked:
        """The ranks of y."""
        return rank(self._y, self._w)

    @cached_property
    def _compared(self) -> _Compared:
        return _Compared(self._y, self._w)


def _tau(balance: Floats, ordered_x: Floats, ordered_y: Floats) -> tuple[Floats, Bools]:
    product = ordered_x * ordered_y
    defined = product > 0
    value = np.divide(balance, np.sqrt(product), out=np.zeros_like(product), where=defined)
    return np.clip(value, -1.0, 1.0), defined


def _pays(w: Floats, sides: int) -> bool:
    """Whether to compare this many sides with one of these weights `[rows, n]`: all fits, and there is enough of it.

    Comparing takes as many steps as there are entries, merging as many as there are sides, however few the rows.
    """
    rows, n = w.shape
    return bool(
        n <= min(MOST_ENTRIES, sides * max(rows, _STEPS))
        and w.max(initial=0.0) <= _HEAVIEST
        and w.sum(axis=1).max(initial=0.0) <= _HEAVIEST_ROW
    )


# Comparing -----------------------------------------------------------------------------------------------------------


class _Compared:
    """y in its own order; a weight has to fit one byte, the sum of a row two."""

    def __init__(self, y: NDArray[np.floating], w: Floats) -> None:
        rows, n = y.shape
        y = np.where(w > 0, y, np.inf)  # what has no weight comes last, where it is tied with nothing
        self._place_nr = np.ascontiguousarray((np.argsort(y, axis=1) + np.arange(rows)[:, None] * n).T)
        y_nr, w_nr = y.ravel().take(self._place_nr), w.ravel().take(self._place_nr)
        self._w_nr = w_nr.astype(np.uint8)
        self._kind: type[np.unsignedinteger[Any]] = np.uint8 if w_nr.sum(axis=0).max(initial=0.0) < 2**8 else np.uint16
        self._above: list[Bytes] = []  # only where y is tied: the weight of the later entries that are above each
        if ((y_nr[1:] == y_nr[:-1]) & (w_nr[1:] > 0)).any():
            self._above = [self._w_nr[i + 1 :] * (y_nr[i + 1 :] > y_nr[i]) for i in range(n - 1)]
            self.ordered = np.zeros(rows)
            for weight, above in zip(w_nr, self._above, strict=False):
                self.ordered += weight * above.sum(axis=0, dtype=np.float64)
        else:
            self.ordered = 0.5 * (w_nr.sum(axis=0) ** 2 - np.einsum("nr,nr->r", w_nr, w_nr))

    def balance(self, x: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """C − D and S_x `[K, rows]` of K sides `[K, rows, n]`."""
        K, (n, rows) = len(x), self._w_nr.shape
        values, distinct = (x, False) if n <= _AS_THEY_ARE else _dense(x.reshape(K * rows, n))
        x_nR = np.empty((n, K, rows), dtype=values.dtype)
        for target, side in zip(x_nR.transpose(1, 0, 2), values.reshape(K, rows * n), strict=True):
            target[:] = side.take(self._place_nr)
        x_nR = x_nR.reshape(n, K * rows)
        w_nR = np.tile(self._w_nr, K)
        above = [np.tile(weight, K) for weight in self._above] if self._above else [w_nR[i + 1 :] for i in range(n - 1)]
        greater = self._later(np.greater, x_nR, above)
        less = self.ordered - greater if distinct else self._later(np.less, x_nR, above)
        ordered = greater + less
        if self._above:
            ordered = self._later(np.not_equal, x_nR, [w_nR[i + 1 :] for i in range(n - 1)])
        return greater - less, ordered

    def _later(self, compare: np.ufunc, x_nR: NDArray[Any], weights: list[Bytes]) -> Floats:
        """Σ_i w_i × the weight of the later entries for which `compare` with entry i is true: `[K, rows]`."""
        n, rows = self._w_nr.shape
        sums = np.zeros(x_nR.shape, dtype=self._kind)
        matches = np.empty(x_nR.shape, dtype=np.bool_)
        for i, weight in enumerate(weights):
            counted = compare(x_nR[i + 1 :], x_nR[i], out=matches[i + 1 :]).view(np.uint8)
            np.negative(counted, out=counted)  # all bits of a byte, so that the weight need not be multiplied
            np.bitwise_and(counted, weight, out=counted)
            np.add.reduce(counted, axis=0, dtype=self._kind, out=sums[i])
        return np.einsum("nkr,nr->kr", sums.reshape(n, -1, rows).astype(np.float64), self._w_nr.astype(np.float64))


def _dense(values: NDArray[np.floating]) -> tuple[Bytes, bool]:
    """Each row's distinct values numbered in their order, and whether all are distinct in all rows."""
    rows, n = values.shape
    flat = np.argsort(values, axis=1)
    flat += np.arange(rows)[:, None] * n
    ordered = values.ravel().take(flat)
    number = np.zeros((rows, n), dtype=np.uint8)
    np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1, dtype=np.uint8, out=number[:, 1:])
    dense = np.empty(rows * n, dtype=np.uint8)
    dense[flat.ravel()] = number.ravel()
    return dense.reshape(rows, n), bool((number[:, -1] == n - 1).all())


# Merging -------------------------------------------------------------------------------------------------------------


def _merged(x: Ranked, y: Ranked, w: Floats) -> tuple[Floats, Floats]:
    """C − D and S_x `[rows]` of two rankings made with the same weights, of however many entries."""
    discordant, both_tied = _discordant(x.dense, y.dense, w)
    either_way = 0.5 * (x.total**2 - x.tied_pairs - y.tied_pairs + both_tied)
    return either_way - 2.0 * discordant, x.ordered


def _discordant(x: Ints, y: Ints, w: Floats) -> tuple[Floats, Floats]:
    """Weight of the pairs that x and y order differently, and the sum of squared weights of values equal in both.

    Rows are sorted by x, then y; a discordant pair is then an inversion in y. Each sort carries everything in
    one whole number per entry, y above the place in the row above the weight, so nothing has to be gathered; of 32 bits
    where that is enough, which sorts twice as fast.
    """
    rows, n = x.shape
    blocks = 1
    while -(-n // blocks) > _LEAF:
        blocks *= 2
    size = -(-n // blocks)
    label = np.arange(blocks * size) // size
    label_bits = max(1, int(blocks - 1).bit_length())
    weight_bits = int(w.max(initial=1.0)).bit_length()
    key_bits = weight_bits + max((n * n).bit_length(), n.bit_length() + label_bits)
    fits = key_bits < 32 and float(w.sum(axis=1).max(initial=0.0)) ** 2 < 2**31
    kind: type[np.signedinteger[Any]] = np.int32 if fits else np.int64

    key = ((x * n + y) << weight_bits | w.astype(np.int64)).astype(kind)
    key.sort(axis=1)
    weight = key & ((1 << weight_bits) - 1)
    joint = key >> weight_bits
    both_tied = _sum_of_squared_groups(joint, weight)

    key = np.zeros((rows, blocks * size), dtype=kind)
    key[:, :n] = (joint % n) << (label_bits + weight_bits) | weight
    key |= (label << weight_bits).astype(kind)

    leaves = key.reshape(rows, blocks, size)
    inversions = _inversions_within(leaves >> (label_bits + weight_bits), leaves & ((1 << weight_bits) - 1))
    for level in range(label_bits if blocks > 1 else 0):
        merged = key.reshape(rows, blocks >> (level + 1), size << (level + 1))
        merged.sort(axis=2)
        weight = merged & ((1 << weight_bits) - 1)
        right = weight * ((merged >> (weight_bits + level)) & 1)
        left_upto = np.cumsum(weight - right, axis=2, dtype=kind)
        all_left = left_upto[:, :, -1]
        inversions += np.einsum("rb,rb->r", all_left, right.sum(axis=2, dtype=kind))
        inversions -= np.einsum("rbs,rbs->r", right, left_upto)
    return inversions.astype(np.float64), both_tied


def _inversions_within(y: Whole, w: Whole) -> Whole:
    """Per row, the weight of pairs in y's blocks `[rows, blocks, size]` of which the earlier is the greater."""
    inversions = np.zeros(len(y), dtype=w.dtype)
    for apart in range(1, y.shape[2]):
        greater = y[:, :, :-apart] > y[:, :, apart:]
        inversions += np.einsum("rbs,rbs,rbs->r", greater, w[:, :, :-apart], w[:, :, apart:])
    return inversions


def _sum_of_squared_groups(ordered: Whole, weight: Whole) -> Floats:
    """Per row, the sum over runs of equal values of their squared weight."""
    rows, n = ordered.shape
    starts = np.ones((rows, n), dtype=bool)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=starts[:, 1:])
    if starts.all():
        return np.einsum("rn,rn->r", weight, weight).astype(np.float64)
    first = np.flatnonzero(starts.ravel())
    tied = np.add.reduceat(weight.ravel(), first).astype(np.float64)
    return np.bincount(first // n, weights=tied**2, minlength=rows).astype(np.float64)
