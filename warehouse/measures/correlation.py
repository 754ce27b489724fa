"""Correlations of weighted pairs, for many replicates at once: what repeats a pair is a weight, not a copy.

`x`, `y` and the whole weights `w ≥ 0` are `[B, n]`. Each figure equals that of the sample in which entry i stands w_i
times: Pearson r, Spearman ρ with average ranks, and Kendall τ-b, whose discordant pairs are counted by merging sorted
halves (Knight 1966), O(n log² n) per row as NumPy does it; of few entries in many rows, `kendall` is quicker.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from warehouse.measures.ranks import Ranked, middle_ranks, rank

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Whole = NDArray[np.signedinteger[Any]]
Bools = NDArray[np.bool_]
Figure = tuple[Floats, Bools]
"""Values `[B]` and where they are defined; the value is 0 where it is not."""

_LEAF = 12


def pearson(x: NDArray[np.floating], y: NDArray[np.floating], w: Floats) -> Figure:
    """Pearson r; undefined where either side is constant over the entries that have weight."""
    return ProductMoment(y, varies(y, w), w).of(x, varies(x, w))


def spearman(x: NDArray[np.floating], y: NDArray[np.floating], w: Floats) -> Figure:
    """Spearman ρ: Pearson r of the average ranks of the expanded sample."""
    return ProductMoment(*middle_ranks(y, w), w).of(*middle_ranks(x, w))


def kendall(x: NDArray[np.floating], y: NDArray[np.floating], w: Floats) -> Figure:
    """Kendall τ-b over all pairs of entries, each pair weighing w_i · w_j."""
    return kendall_of_ranks(rank(x, w), rank(y, w), w)


def kendall_of_ranks(x: Ranked, y: Ranked, w: Floats) -> Figure:
    """`kendall` of two rankings made with the same weights, of however many entries."""
    discordant, both_tied = _discordant(x.dense, y.dense, w)
    concordant_minus_discordant = 0.5 * (x.total**2 - x.tied_pairs - y.tied_pairs + both_tied) - 2.0 * discordant
    ordered = 0.25 * (x.total**2 - x.tied_pairs) * (y.total**2 - y.tied_pairs)
    defined = x.varies & y.varies
    value = np.divide(
        concordant_minus_discordant,
        np.sqrt(ordered, where=defined, out=np.ones_like(ordered)),
        out=np.zeros_like(ordered),
        where=defined,
    )
    return np.clip(value, -1.0, 1.0), defined


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


def _discordant(x: Ints, y: Ints, w: Floats) -> tuple[Floats, Floats]:
    """Weight of the pairs that x and y order differently, and the sum of squared weights of values equal in both.

    Rows are sorted by x, then y; a discordant pair is then an inversion in y. Each sort carries all there is to know in
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
