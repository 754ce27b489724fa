"""Best-of-n, exactly: the expected golden score of the proxy's best among n of N samples.

METHOD, "Optimisers": sort a prompt's samples by the proxy, ascending; the i-th (1-based) is the best of n drawn without
replacement with probability C(i−1, n−1) / C(N, n). Samples that the proxy ties share their probability. No Monte Carlo.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warehouse.errors import InvalidChoice


def best_of_n_values(scores_MPN: ArrayLike, strengths: Sequence[int]) -> NDArray[np.float64]:
    """Values `[S, M golden, M proxy, P]` of best-of-n for each n in `strengths`, in each golden's own units.

    `scores_MPN` are the scores of M reward models for N samples of each of P prompts.
    Raises InvalidChoice for an n outside 1…N.
    """
    scores = np.asarray(scores_MPN, dtype=np.float64)
    M, P, N = scores.shape
    for n in strengths:
        if not 1 <= n <= N:
            raise InvalidChoice(f"n is {n}; there are {N} samples per prompt, so n has to be from 1 to {N}")
    pick_NS = np.stack([pick_probabilities(N, n) for n in strengths], axis=1)
    upto_NS = np.concatenate([np.zeros((1, len(strengths))), np.cumsum(pick_NS, axis=0)])
    values = np.empty((len(strengths), M, M, P))
    golden_PMN = scores.transpose(1, 0, 2)
    for proxy in range(M):
        below, upto = tie_bounds(scores[proxy])
        shared_PNS = (upto_NS[upto] - upto_NS[below]) / (upto - below)[..., None]
        values[:, :, proxy, :] = (golden_PMN @ shared_PNS).transpose(2, 1, 0)
    return values


def pick_probabilities(N: int, n: int) -> NDArray[np.float64]:
    """Probability `[N]` that the i-th of N samples, ascending, is the best of n drawn without replacement."""
    total = math.comb(N, n)
    return np.array([math.comb(i - 1, n - 1) / total for i in range(1, N + 1)])


def tie_bounds(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each entry of the last axis, how many are less, and how many are less or equal: its places if sorted."""
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    N = values.shape[-1]
    places = np.broadcast_to(np.arange(N), values.shape)
    starts = np.ones(values.shape, dtype=bool)
    starts[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    below_ordered = np.maximum.accumulate(np.where(starts, places, 0), axis=-1)
    ends = np.ones(values.shape, dtype=bool)
    ends[..., :-1] = starts[..., 1:]
    upto_ordered = np.flip(np.minimum.accumulate(np.flip(np.where(ends, places + 1, N), -1), axis=-1), -1)
    below, upto = np.empty(values.shape, dtype=np.int64), np.empty(values.shape, dtype=np.int64)
    np.put_along_axis(below, order, below_ordered, axis=-1)
    np.put_along_axis(upto, order, upto_ordered, axis=-1)
    return below, upto


def best_of_n_kl_bound(n: int) -> float:
    """Upper bound, in nats, of the KL divergence of best-of-n from the policy it draws from: log n − (n − 1)/n."""
    return math.log(n) - (n - 1) / n
