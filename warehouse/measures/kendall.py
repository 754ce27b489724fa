"""Kendall τ-b of many measures against one other side, which is prepared once: what a bootstrap of them asks for.

With S_x the weight of the pairs of entries that x orders, C and D of those that x and y order alike and otherwise,
τ-b = (C − D) / √(S_x S_y), as METHOD has it. Entries are put into y's order; then each is compared with all later ones,
in all rows at once: n² / 2 comparisons a row, but of bytes, dozens to an instruction, where sorting takes one value at
a time. That is the quicker way up to some hundred entries; beyond, `correlation.kendall` counts by merging.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

MOST_ENTRIES = 256
_HEAVIEST_ROW = 2**16 - 1
_HEAVIEST = 2**8 - 1
_STEPS = 25
_AS_THEY_ARE = 40
"""Up to so many entries, values are compared as they are; the bytes of their ranks would cost more than they save."""


def pays(w: Floats, sides: int) -> bool:
    """Whether to compare so many sides here with one of these weights `[rows, n]`: all fits, and there is enough of it.

    Comparing takes as many steps as there are entries, merging as many as there are sides, however few the rows.
    """
    rows, n = w.shape
    return bool(
        n <= min(MOST_ENTRIES, sides * max(rows, _STEPS))
        and w.max(initial=0.0) <= _HEAVIEST
        and w.sum(axis=1).max(initial=0.0) <= _HEAVIEST_ROW
    )


class Against:
    """A side `[rows, n]` with whole weights, of one byte and in a row of two: entry i stands w_i times."""

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
            self._ordered = np.zeros(rows)
            for here, above in zip(w_nr, self._above, strict=False):
                self._ordered += here * above.sum(axis=0, dtype=np.float64)
        else:
            self._ordered = 0.5 * (w_nr.sum(axis=0) ** 2 - np.einsum("nr,nr->r", w_nr, w_nr))

    def tau(self, x: NDArray[np.floating]) -> tuple[Floats, Bools]:
        """τ-b of each of K sides `[K, rows, n]` with this one and where it is defined, both `[K, rows]`; else 0."""
        K, (n, rows) = len(x), self._w_nr.shape
        values, distinct = (x, False) if n <= _AS_THEY_ARE else _dense(x.reshape(K * rows, n))
        x_nR = np.empty((n, K, rows), dtype=values.dtype)
        for into, one in zip(x_nR.transpose(1, 0, 2), values.reshape(K, rows * n), strict=True):
            into[:] = one.take(self._place_nr)
        x_nR = x_nR.reshape(n, K * rows)
        w_nR = np.tile(self._w_nr, K)
        above = [np.tile(one, K) for one in self._above] if self._above else [w_nR[i + 1 :] for i in range(n - 1)]
        greater = self._later(np.greater, x_nR, above)
        less = self._ordered - greater if distinct else self._later(np.less, x_nR, above)
        ordered = greater + less
        if self._above:
            ordered = self._later(np.not_equal, x_nR, [w_nR[i + 1 :] for i in range(n - 1)])
        product = ordered * self._ordered
        defined = product > 0
        value = np.divide(greater - less, np.sqrt(product), out=np.zeros_like(product), where=defined)
        return np.clip(value, -1.0, 1.0), defined

    def _later(self, compare: np.ufunc, x_nR: NDArray[Any], weights: list[Bytes]) -> Floats:
        """Σ_i w_i × the weight of the later entries that compare so with entry i: `[K, rows]`."""
        n, rows = self._w_nr.shape
        found = np.zeros(x_nR.shape, dtype=self._kind)
        kept = np.empty(x_nR.shape, dtype=np.bool_)
        for i, weight in enumerate(weights):
            counted = compare(x_nR[i + 1 :], x_nR[i], out=kept[i + 1 :]).view(np.uint8)
            np.negative(counted, out=counted)  # all bits of a byte, so that the weight need not be multiplied
            np.bitwise_and(counted, weight, out=counted)
            np.add.reduce(counted, axis=0, dtype=self._kind, out=found[i])
        return np.einsum("nkr,nr->kr", found.reshape(n, -1, rows).astype(np.float64), self._w_nr.astype(np.float64))


def _dense(values: NDArray[np.floating]) -> tuple[Bytes, bool]:
    """Each row's distinct values numbered in their order, and whether all are distinct in all rows."""
    rows, n = values.shape
    flat = np.argsort(values, axis=1)
    flat += np.arange(rows)[:, None] * n
    ordered = values.ravel().take(flat)
    number = np.zeros((rows, n), dtype=np.uint8)
    np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1, dtype=np.uint8, out=number[:, 1:])
    found = np.empty(rows * n, dtype=np.uint8)
    found[flat.ravel()] = number.ravel()
    return found.reshape(rows, n), bool((number[:, -1] == n - 1).all())
