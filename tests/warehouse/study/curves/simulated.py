"""Policies of one optimiser at several strengths whose gains are known."""

from __future__ import annotations

import numpy as np

from tests.warehouse.study.simulate import cube_of, normal_scores
from warehouse.metrics.policies.best_of_n import best_of_n_kl_bound, best_of_n_values
from warehouse.study import PolicyValues
from warehouse.study.curves.value_curves import ValueCurves

STRENGTHS = (1, 2, 4, 8, 16)


NAMES = ("rm-0", "rm-1", "rm-2")


def policy_values(optimised_MMQ: np.ndarray, initial_MQ: np.ndarray) -> PolicyValues:
    M, _, Q = optimised_MMQ.shape
    cube = cube_of(np.zeros((M, Q, 2)))
    return PolicyValues(initial_MQ, optimised_MMQ, cube.reward_models, cube.prompts, cube.categories, cube.subsets)


def lawful(optimizer: str, kl: tuple[float, ...], seed: int = 0, noise: float = 0.3) -> tuple[ValueCurves, np.ndarray]:
    """Gains that follow each pair's own law, with noise over prompts that averages out exactly; α and β `[2, M, M]`."""
    rng = np.random.default_rng(seed)
    M, Q = 3, 40
    coefficients = np.stack([rng.uniform(0.5, 1.5, (M, M)), rng.uniform(0.1, 0.5, (M, M))])
    coefficients[:, np.arange(M), np.arange(M)] = np.array([[1.6], [0.1]])
    values = []
    for divergence in kl:
        d = np.sqrt(divergence)
        second = -(d**2) if optimizer == "bon" else (-d * np.log(d) if d > 0 else 0.0)
        gain = coefficients[0] * d + coefficients[1] * second
        wobble = noise * d * rng.standard_normal((M, M, Q))
        wobble -= wobble.mean(axis=2, keepdims=True)
        values.append(policy_values(5.0 + gain[..., None] + wobble, np.full((M, Q), 5.0)))
    curves = ValueCurves(
        optimizer,
        tuple(float(n) for n in range(len(kl))),
        np.repeat(np.array(kl)[:, None], M, axis=1),
        "k3",
        tuple(values),
    )
    return curves, coefficients


def best_of_n(M: int = 4, Q: int = 60, seed: int = 1) -> tuple[ValueCurves, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = normal_scores(rng, np.linspace(0.3, 2.0, M), Q, 16)
    values_SMMQ = best_of_n_values(scores, STRENGTHS)
    values = tuple(policy_values(values_MMQ, scores.mean(axis=2)) for values_MMQ in values_SMMQ)
    kl = np.repeat(np.array([best_of_n_kl_bound(n) for n in STRENGTHS])[:, None], M, axis=1)
    return ValueCurves("bon", tuple(map(float, STRENGTHS)), kl, "bound", values), scores
