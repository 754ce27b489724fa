"""Random scores with ties and constants, and simulated reward models of a known correlation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warehouse.measures import PolicyValues, ScoreCube


def tied_scores(seed: int, M: int = 3, P: int = 12, R: int = 5) -> NDArray[np.float32]:
    """Small integers, so ties abound; one prompt is constant for the first reward model."""
    scores = np.random.default_rng(seed).integers(0, 5, size=(M, P, R)).astype(np.float32)
    scores[0, 0] = 1.0
    return scores


def gaussian_models(rng: np.random.Generator, correlations: list[float], P: int, R: int) -> NDArray[np.float32]:
    """A golden reward model and proxies that correlate with it as given: `[1 + len, P, R]`."""
    golden = rng.normal(size=(P, R))
    proxies = [rho * golden + np.sqrt(1 - rho**2) * rng.normal(size=(P, R)) for rho in correlations]
    return np.stack([golden, *proxies]).astype(np.float32)


def cube_of(scores_MPR: NDArray[np.float32]) -> ScoreCube:
    M, P, _ = scores_MPR.shape
    categories = tuple(("Chat", "Safety")[p % 2] for p in range(P))
    return ScoreCube(scores_MPR, models(M), tuple(f"p{p}" for p in range(P)), categories, categories)


def values_of(initial_MQ: NDArray[np.float64], optimised_MMQ: NDArray[np.float64]) -> PolicyValues:
    M, Q = initial_MQ.shape
    categories = tuple(("Chat", "Safety")[q % 2] for q in range(Q))
    return PolicyValues(initial_MQ, optimised_MMQ, models(M), tuple(f"q{q}" for q in range(Q)), categories, categories)


def models(M: int) -> tuple[str, ...]:
    return tuple(f"rm{m}" for m in range(M))
