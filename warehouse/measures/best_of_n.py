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

Floats = NDArray[np.float64]


def best_of_n_values(scores_MPN: ArrayLike, strengths: Sequence[int]) -> Floats:
    """Values `[S, M golden, M proxy, P]` of best-of-n for each n in `strengths`, in each golden's own units.

    `scores_MPN` are the scores of M reward models for N samples of each of P prompts.
    Raises InvalidChoice for an n outside 1…N.
    """
    scores = np.asarray(scores_MPN, dtype=np.float64)
    if scores.ndim != 3:
        raise InvalidChoice(f"scores have {scores.ndim} axes; best-of-n takes reward models × prompts × samples")
    M, P, N = scores.shape
    for n in strengths:
        if not 1 <= n <= N:
            raise InvalidChoice(f"n is {n}; there are {N} samples per prompt, so n has to be from 1 to {N}")
    pick_NS = np.stack([pick_probabilities(N, n) for n in strengths], axis=1)
    values = np.empty((len(strengths), M, M, P))
    row_PN = np.arange(P)[:, None] * N
    for proxy in range(M):
        order_PN = np.argsort(scores[proxy], axis=-1)
        ordered_PN = np.take_along_axis(scores[proxy], order_PN, axis=-1)
        golden_MPN = scores.reshape(M, P * N).take((order_PN + row_PN).ravel(), axis=1).reshape(M, P, N)
        _share_ties(golden_MPN, ordered_PN)
        for golden in range(M):
            values[:, golden, proxy] = (golden_MPN[golden] @ pick_NS).T
    return values


def _share_ties(golden_MPN: Floats, ordered_PN: Floats) -> None:
    """Give samples that the proxy ties their mean golden score, in place: then it does not matter which comes first."""
    tied = ordered_PN[:, 1:] == ordered_PN[:, :-1]
    rows = np.flatnonzero(tied.any(axis=1))
    if len(rows) == 0:
        return
    starts = np.ones((len(rows), ordered_PN.shape[1]), dtype=bool)
    starts[:, 1:] = ~tied[rows]
    first = np.flatnonzero(starts)
    sizes = np.diff(np.append(first, starts.size))
    some = golden_MPN[:, rows].reshape(len(golden_MPN), -1)
    means = np.add.reduceat(some, first, axis=1) / sizes
    golden_MPN[:, rows] = np.repeat(means, sizes, axis=1).reshape(len(golden_MPN), len(rows), -1)


def pick_probabilities(N: int, n: int) -> Floats:
    """Probability `[N]` that the i-th of N samples, ascending, is the best of n drawn without replacement."""
    total = math.comb(N, n)
    return np.array([math.comb(i - 1, n - 1) / total for i in range(1, N + 1)])


def best_of_n_kl_bound(n: int) -> float:
    """Upper bound, in nats, of the KL divergence of best-of-n from the policy it draws from: log n − (n − 1)/n."""
    if n < 1:
        raise InvalidChoice(f"n is {n}; best-of-n draws 1 sample or more")
    return math.log(n) - (n - 1) / n
