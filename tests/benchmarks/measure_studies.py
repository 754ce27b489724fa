"""The studies that the metrics layer is timed on, and the plain pandas + SciPy way to the same figures, its peer.

The peer does what an analysis notebook does: a loop over golden–proxy pairs and prompts, one SciPy call each, then
means and correlations of a frame. It makes no bootstrap at all; ours is timed with its thousand replicates.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from itertools import combinations, permutations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from warehouse.study import PolicyValues, ScoreCube

PAPER = {"M": 10, "P": 2733, "R": 5}
RECORDED = {"M": 14, "P": 128, "R": 6}
LARGE = {"M": 100, "P": 2733, "R": 8}
SAMPLES = 64
REPLICATES = 1000
CATEGORIES = ("Chat", "Chat Hard", "Safety", "Reasoning")


def study(M: int, P: int, R: int, seed: int = 0) -> tuple[ScoreCube, PolicyValues]:
    """Normal reward models of growing noise, and values of policies that follow their correlations."""
    rng = np.random.default_rng(seed)
    noise = np.linspace(0.2, 3.0, M)
    scores = (rng.standard_normal((P, R)) + noise[:, None, None] * rng.standard_normal((M, P, R))).astype(np.float32)
    rho = 1.0 / np.sqrt((1 + noise[:, None] ** 2) * (1 + noise[None, :] ** 2))
    np.fill_diagonal(rho, 1.0)
    names = tuple(f"rm-{m}" for m in range(M))
    prompts = tuple(f"prompt-{p}" for p in range(P))
    categories = tuple(CATEGORIES[number] for number in rng.integers(0, 4, P))
    values = PolicyValues(
        0.1 * rng.standard_normal((M, P)),
        rho[:, :, None] + 0.5 * rng.standard_normal((M, M, P)),
        names,
        tuple(f"rl-{prompt}" for prompt in prompts),
        categories,
        categories,
    )
    return ScoreCube(scores, names, prompts, categories, categories), values


def samples(M: int, P: int, N: int = SAMPLES, seed: int = 0) -> NDArray[np.float32]:
    """Scores `[M, P, N]` to take the best of."""
    return np.random.default_rng(seed).standard_normal((M, P, N)).astype(np.float32)


def _accuracy(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    right = [
        0.5 if b[i] == b[j] else float((a[i] > a[j]) == (b[i] > b[j]))
        for i, j in combinations(range(len(a)), 2)
        if a[i] != a[j]
    ]
    return float(np.mean(right)) if right else math.nan


PEERS: dict[str, Callable[[NDArray[np.floating], NDArray[np.floating]], float]] = {
    "accuracy": _accuracy,
    "kendall": lambda a, b: float(stats.kendalltau(a, b).statistic),
    "spearman": lambda a, b: float(stats.spearmanr(a, b).statistic),
    "pearson": lambda a, b: float(stats.pearsonr(a, b).statistic),
}


def peer_errors(cube: ScoreCube, measure: str, prompts: int, models: int) -> pd.DataFrame:
    """Columns `golden, proxy, error` over the first so many prompts and reward models."""
    rows = [
        (golden, proxy, p, PEERS[measure](cube.scores_MPR[golden, p], cube.scores_MPR[proxy, p]))
        for golden, proxy in permutations(range(models), 2)
        for p in range(prompts)
    ]
    frame = pd.DataFrame(rows, columns=["golden", "proxy", "prompt", "error"])
    return frame.groupby(["golden", "proxy"], as_index=False)["error"].mean()


def peer_correlations(errors: pd.DataFrame, values: PolicyValues) -> dict[str, float]:
    """Kendall, Spearman and Pearson of the errors with NDR, no intervals."""
    gain = (values.optimised_MMQ - values.initial_MQ[:, None, :]).mean(axis=2)
    ndr = errors.apply(
        lambda row: gain[int(row.golden), int(row.proxy)] / gain[int(row.golden), int(row.golden)], axis=1
    )
    return {name: float(errors["error"].corr(ndr, method=name)) for name in ("kendall", "spearman", "pearson")}  # type: ignore[arg-type]


def peer_seconds(cube: ScoreCube, values: PolicyValues, measure: str, prompts: int = 40, models: int = 4) -> float:
    """Time of the peer at full size: its loop is timed on a part and scaled by pairs × prompts, the rest once."""
    start = time.perf_counter()
    errors = peer_errors(cube, measure, prompts, models)
    loop = time.perf_counter() - start
    start = time.perf_counter()
    peer_correlations(errors, values)
    rest = time.perf_counter() - start
    M, P, _ = cube.scores_MPR.shape
    return loop * (M * (M - 1) * P) / (models * (models - 1) * prompts) + rest


def peer_best_of_n(scores_MPN: NDArray[np.floating], strengths: Sequence[int], prompts: int) -> NDArray[np.float64]:
    """Best-of-n by a loop over pairs, prompts and strengths: `[S, M golden, M proxy, prompts]`, for untied scores."""
    M, _, N = scores_MPN.shape
    weights = {n: np.array([math.comb(i, n - 1) / math.comb(N, n) for i in range(N)]) for n in strengths}
    values = np.empty((len(strengths), M, M, prompts))
    for golden in range(M):
        for proxy in range(M):
            for p in range(prompts):
                ordered = scores_MPN[golden, p, np.argsort(scores_MPN[proxy, p])]
                for s, n in enumerate(strengths):
                    values[s, golden, proxy, p] = float((weights[n] * ordered).sum())
    return values


def peer_best_of_n_seconds(scores_MPN: NDArray[np.floating], strengths: Sequence[int], prompts: int = 10) -> float:
    """Time of the peer on a few prompts, scaled to all."""
    start = time.perf_counter()
    peer_best_of_n(scores_MPN, strengths, prompts)
    return (time.perf_counter() - start) * scores_MPN.shape[1] / prompts
