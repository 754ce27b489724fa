"""Best-of-n, exactly: the expected golden score, or length, of the proxy's best among n of N samples.

METHOD, "Value, regret, NDR": sort a prompt's samples by the proxy, ascending; the i-th (1-based) is the best of n drawn
without replacement with probability C(i−1, n−1) / C(N, n). Samples that the proxy ties share their probability. No
Monte Carlo.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warehouse.errors import InvalidChoice
from warehouse.stats.bootstrap import PICKS, Floats, generator

_CHUNK_ENTRIES = 1_000_000


def best_of_n_values(scores_MPN: ArrayLike, strengths: Sequence[int]) -> Floats:
    """Values `[S, M golden, M proxy, P]` of best-of-n for each n in `strengths`, in each golden's own units.

    `scores_MPN` are the scores of M reward models for N samples of each of P prompts.
    Raises InvalidChoice for an n outside 1…N.
    """
    scores = np.asarray(scores_MPN)
    return best_of_n_expected(scores, scores, strengths)


def best_of_n_expected(quantities_KPN: ArrayLike, scores_MPN: ArrayLike, strengths: Sequence[int]) -> Floats:
    """Expectation `[S, K, M proxy, P]` of K quantities of each sample over what best-of-n by each proxy picks.

    Raises InvalidChoice as `best_of_n_values`.
    """
    scores = np.asarray(scores_MPN)
    if scores.ndim != 3:
        raise InvalidChoice(f"scores have {scores.ndim} axes; best-of-n takes reward models × prompts × samples")
    N = scores.shape[2]
    for n in strengths:
        if not 1 <= n <= N:
            raise InvalidChoice(f"n is {n}; there are {N} samples per prompt, so n has to be from 1 to {N}")
    pick_NS = np.stack([pick_probabilities(N, n) for n in strengths], axis=1)
    return expected(quantities_KPN, scores, len(strengths), lambda proxy_PN, _: _picked(proxy_PN, pick_NS))


def expected(
    quantities_KPN: ArrayLike, scores_MPN: ArrayLike, S: int, weigh: Callable[[Floats, int], Floats]
) -> Floats:
    """Expectation `[S, K, M proxy, P]` of K quantities under S weightings of the samples by each proxy's scores.

    `weigh` takes scores `[P, N]` of some prompts and the proxy's number, and returns weights `[P, N, S]` with sum 1.
    """
    quantities, scores = np.asarray(quantities_KPN), np.asarray(scores_MPN)
    M, P, N = scores.shape
    K = len(quantities)
    values = np.empty((S, K, M, P))
    step = max(1, _CHUNK_ENTRIES // (M * N * S))
    for start in range(0, P, step):
        part = slice(start, start + step)
        scores_PMN = scores[:, part].transpose(1, 0, 2).astype(np.float64)
        weights_PNMS = np.empty((len(scores_PMN), N, M, S))
        for proxy in range(M):
            weights_PNMS[:, :, proxy] = weigh(scores_PMN[:, proxy], proxy)
        quantities_PKN = quantities[:, part].transpose(1, 0, 2).astype(np.float64)
        values_PKMS = (quantities_PKN @ weights_PNMS.reshape(-1, N, M * S)).reshape(-1, K, M, S)
        values[..., part] = values_PKMS.transpose(3, 1, 2, 0)
    return values


def best_of_n_gap(
    golden_GPN: NDArray[np.floating], first_PN: NDArray[np.floating], second_PN: NDArray[np.floating], n: int
) -> Floats:
    """What best-of-n by the first proxy is worth more than by the second, `[G golden, P]`, from N ≥ n samples."""
    picks_N = pick_probabilities(golden_GPN.shape[2], n)[:, None]
    first, second = (_picked(proxy.astype(np.float64), picks_N)[..., 0] for proxy in (first_PN, second_PN))
    gap_GP: Floats = np.einsum("gpn,pn->gp", golden_GPN.astype(np.float64), first - second)
    return gap_GP


def best_of_n_own_values(scores_MPN: NDArray[np.floating]) -> Floats:
    """Mean value over prompts of best-of-n to the reward model that picks, for each n = 1 … N: `[N, M]`."""
    N = scores_MPN.shape[2]
    ordered_MN = np.sort(scores_MPN, axis=2).mean(axis=1, dtype=np.float64)
    return np.stack([ordered_MN @ pick_probabilities(N, n) for n in range(1, N + 1)])


def best_of_n_picks(
    scores_MPN: NDArray[np.floating], n: int, picks: int, *, reward_models: Sequence[str], seed: int
) -> Floats:
    """Values `[M golden, M proxy, P]` of best-of-n as a sampled policy has them: the mean over some single picks.

    Each is the best of n samples drawn without replacement by the proxy's own stream of the seed; a further pick is
    from samples that are not used yet, as far as there are any.
    """
    M, P, N = scores_MPN.shape
    groups = N // n
    values = np.empty((M, M, P))
    for proxy, name in enumerate(reward_models):
        rng = generator(seed, PICKS, name)
        picked_PS = np.empty((P, picks), dtype=np.int64)
        for pick in range(picks):
            if pick % groups == 0:
                order_PN = rng.permuted(np.repeat(np.arange(N)[None], P, axis=0), axis=1)
            drawn_Pn = order_PN[:, pick % groups * n :][:, :n]
            best_P = np.take_along_axis(scores_MPN[proxy], drawn_Pn, axis=1).argmax(axis=1)
            picked_PS[:, pick] = np.take_along_axis(drawn_Pn, best_P[:, None], axis=1)[:, 0]
        values[:, proxy] = np.take_along_axis(scores_MPN, picked_PS[None], axis=2).mean(axis=2, dtype=np.float64)
    return values


def _picked(proxy_PN: Floats, pick_NS: Floats) -> Floats:
    """Probability `[P, N, S]` that each sample is the proxy's best of n; samples that it ties have their mean."""
    order_PN = np.argsort(proxy_PN, axis=1)
    ordered_PN = np.take_along_axis(proxy_PN, order_PN, axis=1)
    rank_PN = np.empty_like(order_PN)
    np.put_along_axis(rank_PN, order_PN, np.arange(order_PN.shape[1])[None], axis=1)
    picked: Floats = pick_NS.take(rank_PN, axis=0)
    tied = ordered_PN[:, 1:] == ordered_PN[:, :-1]
    rows = np.flatnonzero(tied.any(axis=1))
    if len(rows):
        starts = np.ones((len(rows), len(pick_NS)), dtype=bool)
        starts[:, 1:] = ~tied[rows]
        first = np.flatnonzero(starts)
        means = np.add.reduceat(np.tile(pick_NS, (len(rows), 1)), first, axis=0)
        sizes = np.diff(np.append(first, starts.size))
        shared = np.repeat(means / sizes[:, None], sizes, axis=0).reshape(len(rows), *pick_NS.shape)
        picked[rows[:, None], order_PN[rows]] = shared
    return picked


def pick_probabilities(N: int, n: int) -> Floats:
    """Probability `[N]` that the i-th of N samples, ascending, is the best of n drawn without replacement."""
    total = math.comb(N, n)
    return np.array([math.comb(i - 1, n - 1) / total for i in range(1, N + 1)])


def best_of_n_kl_bound(n: int) -> float:
    """Upper bound, in nats, of the KL divergence of best-of-n from the policy it draws from: log n − (n − 1)/n."""
    if n < 1:
        raise InvalidChoice(f"n is {n}; best-of-n draws 1 sample or more")
    return math.log(n) - (n - 1) / n
