"""Places of tied values: what every rank of this package is made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FEW = 12


def tie_bounds(values: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each entry of the last axis, how many are less, and how many are less or equal: its places if sorted."""
    if values.shape[-1] <= _FEW:  # comparing all with all beats sorting
        one, other = values[..., :, None], values[..., None, :]
        return (other < one).sum(axis=-1), (other <= one).sum(axis=-1)
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
