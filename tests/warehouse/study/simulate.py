"""Reward models made of numbers: normal scores with known correlations, and scores full of ties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warehouse.metrics.policies.best_of_n import best_of_n_values
from warehouse.study import MEASURES, Evaluation, PolicyValues, PromptValues, ScoreCube, TestSet
from warehouse.study.evaluate import replicated

CATEGORIES = ("Chat", "Chat Hard", "Safety", "Reasoning")


def cube_of(scores_MPR: NDArray[np.floating], rng: np.random.Generator | None = None) -> ScoreCube:
    """A cube of these scores, its prompts in the four categories by turns, or drawn."""
    M, P, _ = scores_MPR.shape
    numbers = np.arange(P) if rng is None else rng.integers(0, len(CATEGORIES), P)
    categories = tuple(CATEGORIES[number % len(CATEGORIES)] for number in numbers)
    return ScoreCube(
        scores_MPR.astype(np.float32),
        tuple(f"rm-{m}" for m in range(M)),
        tuple(f"prompt-{p}" for p in range(P)),
        categories,
        tuple(f"{category}/{p % 2}" for p, category in enumerate(categories)),
    )


def values_of(scores_MPN: NDArray[np.floating], n: int) -> PolicyValues:
    """Values of best-of-n on the samples of these RL-test prompts."""
    cube = cube_of(scores_MPN)
    return PolicyValues(
        initial_MQ=scores_MPN.mean(axis=2, dtype=np.float64),
        optimised_MMQ=best_of_n_values(scores_MPN, [n])[0],
        reward_models=cube.reward_models,
        prompts=tuple(f"rl-{prompt}" for prompt in cube.prompts),
        categories=cube.categories,
        subsets=cube.subsets,
    )


def normal_scores(rng: np.random.Generator, noise_M: NDArray[np.floating], P: int, R: int) -> NDArray[np.float64]:
    """A common truth plus each reward model's own noise, all standardised: any two are jointly normal.

    Their correlation is 1/√((1 + s²)(1 + t²)) at noises s and t.
    """
    truth = rng.standard_normal((P, R))
    noise = noise_M[:, None, None] * rng.standard_normal((len(noise_M), P, R))
    return (truth + noise) / np.sqrt(1.0 + noise_M[:, None, None] ** 2)


def correlations(noise_M: NDArray[np.floating]) -> NDArray[np.float64]:
    """The correlation `[M, M]` of `normal_scores`; 1 on the diagonal."""
    size = np.sqrt(1.0 + noise_M**2)
    rho = 1.0 / (size[:, None] * size[None, :])
    np.fill_diagonal(rho, 1.0)
    return rho


def accuracy_of_correlation(rho: ArrayLike) -> NDArray[np.float64]:
    """Accuracy of a normal proxy whose correlation with the golden scores is ρ: ½ + arcsin(ρ)/π."""
    return 0.5 + np.arcsin(np.asarray(rho, dtype=np.float64)) / np.pi


def evaluate_each(
    cube: ScoreCube, values: PolicyValues, test_sets: Sequence[TestSet], *, measure: str = "accuracy", **more: Any
) -> list[Evaluation]:
    """One measure on several test sets, on the same draws."""
    jobs = [(measure, test_set) for test_set in test_sets]
    return [part.evaluation for part in replicated(cube, values, jobs, **more)]


def evaluate_all(
    cube: ScoreCube,
    values: PolicyValues,
    *,
    measures: Sequence[str] = tuple(MEASURES),
    prepared: Mapping[str, PromptValues] | None = None,
    **more: Any,
) -> dict[str, Evaluation]:
    """Several measures on all responses, on the same draws: `{measure: evaluation}`."""
    ready = [(prepared or {}).get(name) for name in measures]
    parts = replicated(cube, values, [(name, TestSet()) for name in measures], prepared=ready, **more)
    return {name: part.evaluation for name, part in zip(measures, parts, strict=True)}


def dense(values: PromptValues) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values `[T, P, M, M]` and where they are defined, `[P, M, M]`; the diagonal is not."""
    T, P, C = values.values_TPC.shape
    pairs = ~np.eye(len(values.column_MM), dtype=bool)
    matrices, defined = np.zeros((T, P, *pairs.shape)), np.zeros((P, *pairs.shape), dtype=bool)
    defined_PC = np.ones((P, C), dtype=bool)
    defined_PC[values.undefined_rows] = values.undefined_UC == 0
    matrices[:, :, pairs] = values.values_TPC[:, :, values.column_MM[pairs]]
    defined[:, pairs] = defined_PC[:, values.column_MM[pairs]]
    return matrices, defined


def study(
    seed: int = 0, M: int = 6, P: int = 60, R: int = 5, Q: int = 50, N: int = 16
) -> tuple[ScoreCube, PolicyValues]:
    """A whole study of normal reward models of growing noise, optimised by best of N."""
    rng = np.random.default_rng(seed)
    noise = np.linspace(0.3, 2.5, M)
    cube = cube_of(normal_scores(rng, noise, P, R))
    return cube, values_of(normal_scores(rng, noise, Q, N).astype(np.float32), N)


def tied_scores(rng: np.random.Generator, M: int, P: int, R: int) -> NDArray[np.float32]:
    """Scores of few values, with prompts on which a reward model says nothing at all."""
    scores = rng.integers(-2, 3, (M, P, R)).astype(np.float32) / 2
    silent = rng.random((M, P)) < 0.15
    scores[silent] = 0.5
    return scores
