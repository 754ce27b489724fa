"""Correlations of weighted pairs, for many replicates at once: what repeats a pair is a weight, not a copy.

`x`, `y` and the weights `w ≥ 0` are `[B, n]`. Each figure equals that of the sample in which entry i stands w_i times.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Figure = tuple[Floats, NDArray[np.bool_]]
"""Values `[B]` and where they are defined; the value is 0 where it is not."""

_CHUNK_ELEMENTS = 4_000_000


def pearson(x: Floats, y: Floats, w: Floats) -> Figure:
    """Pearson r; undefined where either side is constant over the entries that have weight."""
    total = w.sum(axis=1, keepdims=True)
    share = np.divide(w, total, out=np.zeros_like(w), where=total > 0)
    dx = x - (share * x).sum(axis=1, keepdims=True)
    dy = y - (share * y).sum(axis=1, keepdims=True)
    covariance = (share * dx * dy).sum(axis=1)
    product = (share * dx**2).sum(axis=1) * (share * dy**2).sum(axis=1)
    defined = _varies(x, w) & _varies(y, w) & (product > 0)
    value = np.divide(covariance, np.sqrt(product), out=np.zeros_like(covariance), where=defined)
    return np.clip(value, -1.0, 1.0), defined


def spearman(x: Floats, y: Floats, w: Floats) -> Figure:
    """Spearman ρ: Pearson r of the average ranks of the expanded sample."""
    return pearson(weighted_ranks(x, w), weighted_ranks(y, w), w)


def kendall(x: Floats, y: Floats, w: Floats) -> Figure:
    """Kendall τ-b over all pairs of entries, each pair weighing w_i · w_j."""
    B, n = x.shape
    value, defined = np.zeros(B), np.zeros(B, dtype=bool)
    step = max(1, _CHUNK_ELEMENTS // max(1, n * n))
    for start in range(0, B, step):
        rows = slice(start, start + step)
        sx, sy = (np.sign(v[rows, :, None] - v[rows, None, :]) for v in (x, y))
        wi = w[rows]
        numerator = np.einsum("bi,bij,bj->b", wi, sx * sy, wi, optimize=True)
        ordered_x = np.einsum("bi,bij,bj->b", wi, np.abs(sx), wi, optimize=True)
        ordered_y = np.einsum("bi,bij,bj->b", wi, np.abs(sy), wi, optimize=True)
        product = ordered_x * ordered_y
        defined[rows] = product > 0
        value[rows] = np.divide(numerator, np.sqrt(product), out=np.zeros_like(numerator), where=product > 0)
    return np.clip(value, -1.0, 1.0), defined


def weighted_ranks(x: Floats, w: Floats) -> Floats:
    """Average rank of each entry in the expanded sample, from 1: weight below, half the weight of its ties, and ½."""
    order = np.argsort(x, axis=1, kind="stable")
    ordered, weight = np.take_along_axis(x, order, axis=1), np.take_along_axis(w, order, axis=1)
    upto = np.cumsum(weight, axis=1)
    starts = np.ones(x.shape, dtype=bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = np.ones(x.shape, dtype=bool)
    ends[:, :-1] = starts[:, 1:]
    below = np.maximum.accumulate(np.where(starts, upto - weight, 0.0), axis=1)
    last = np.flip(np.minimum.accumulate(np.flip(np.where(ends, upto, np.inf), 1), axis=1), 1)
    ranks = np.empty_like(x)
    np.put_along_axis(ranks, order, (below + last + 1.0) / 2.0, axis=1)
    return ranks


def mrr(error_BMM: Floats, ndr_BMM: Floats, there_BMM: NDArray[np.bool_], counts_BM: Floats) -> Figure:
    """Per golden, one over the NDR rank of the proxy that the measure likes best; averaged over goldens.

    `there[…, golden, proxy]` says which pairs count, `counts` how often each reward model stands in the sample. Proxies
    that tie for the measure's favour share it; a rank is one more than the number of proxies with a greater NDR.
    Goldens with fewer than two distinct proxies are left out.
    """
    standing = there_BMM * counts_BM[:, None, :]
    there = standing > 0
    liked = np.where(there, error_BMM, -np.inf)
    favoured = np.where(there & (liked == liked.max(axis=2, keepdims=True)), standing, 0.0)
    better = (ndr_BMM[:, :, None, :] > ndr_BMM[:, :, :, None]) * standing[:, :, None, :]
    rank = 1.0 + better.sum(axis=3)
    total = favoured.sum(axis=2)
    per_golden = np.divide((favoured / rank).sum(axis=2), total, out=np.zeros_like(total), where=total > 0)
    weight = np.where(there.sum(axis=2) >= 2, counts_BM, 0.0)
    goldens = weight.sum(axis=1)
    value = np.divide((weight * per_golden).sum(axis=1), goldens, out=np.zeros_like(goldens), where=goldens > 0)
    return value, goldens > 0


def _varies(x: Floats, w: Floats) -> NDArray[np.bool_]:
    there = w > 0
    highest = np.where(there, x, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(there, x, np.inf).min(axis=1, initial=np.inf)
    return highest > lowest
