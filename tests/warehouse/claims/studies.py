"""Studies made of numbers whose answer is known: reward models of given noise on either side, policies of best-of-n."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tests.warehouse.study.simulate import cube_of, normal_scores
from warehouse.claims import Claim, Optimised, Study
from warehouse.metrics.cube import spread_within_prompts
from warehouse.metrics.policies.best_of_n import best_of_n_kl_bound, best_of_n_values
from warehouse.study import PolicyValues, ScoreCube
from warehouse.study.curves.value_curves import ValueCurves

STRENGTHS = (1, 2, 4, 8, 16)
REPLICATES = 200


def optimised(
    scores_MPR: NDArray[np.floating],
    samples_MQN: NDArray[np.floating],
    *,
    optimizer: str = "bon",
    paraphrased_MPR: NDArray[np.floating] | None = None,
) -> Optimised:
    """Policies of best-of-n on these samples, called by any optimiser's name, and the scores on the RM-test prompts."""
    samples = samples_MQN.astype(np.float32)
    M = len(samples)
    described = cube_of(samples)
    curves = ValueCurves(
        optimizer,
        tuple(float(n) for n in STRENGTHS),
        np.repeat(np.array([best_of_n_kl_bound(n) for n in STRENGTHS])[:, None], M, axis=1),
        "bound",
        tuple(policy_values(samples.mean(axis=2, dtype=float), one) for one in best_of_n_values(samples, STRENGTHS)),
    )
    assert described.reward_models == curves.reward_models
    return Optimised(
        curves=curves,
        cube=cube_of(scores_MPR),
        paraphrased=None if paraphrased_MPR is None else cube_of(paraphrased_MPR),
        spread_M=spread_within_prompts(samples),
        samples=replace(described, prompts=curves.values[0].prompts),
    )


def policy_values(initial_MQ: NDArray[np.floating], optimised_MMQ: NDArray[np.floating]) -> PolicyValues:
    """Values of these reward models, on other prompts than those of a cube."""
    cube = cube_of(np.zeros((*initial_MQ.shape, 2)))
    return PolicyValues(
        initial_MQ.astype(float),
        optimised_MMQ.astype(float),
        cube.reward_models,
        tuple(f"rl-{name}" for name in cube.prompts),
        cube.categories,
        cube.subsets,
    )


def valued(scores_MPR: NDArray[np.floating], ndr_MM: NDArray[np.floating], noise: float = 0.02) -> Optimised:
    """Scores, and policies whose NDR is as told but for a little noise over 60 RL-test prompts; two strengths."""
    rng = np.random.default_rng(11)
    M = len(scores_MPR)
    optimised_MMQ = ndr_MM[..., None] + noise * rng.standard_normal((M, M, 60))
    initial_MQ = np.zeros((M, 60))
    curves = ValueCurves(
        "bon",
        (1.0, 2.0),
        np.repeat(np.array([[0.0], [0.5]]), M, axis=1),
        "bound",
        (policy_values(initial_MQ, np.zeros((M, M, 60))), policy_values(initial_MQ, optimised_MMQ)),
    )
    return Optimised(curves=curves, cube=cube_of(scores_MPR), paraphrased=None, spread_M=np.ones(M))


def study(
    *optimizers: Optimised,
    kinds: dict[str, str] | None = None,
    flip_rates: dict[str, float] | None = None,
    sources: dict[str, ScoreCube] | None = None,
) -> Study:
    """A study of these optimisers, whose reward models differ in flip rate unless they are told."""
    names = optimizers[0].curves.reward_models
    return Study(
        {one.curves.optimizer: one for one in optimizers},
        kinds or dict.fromkeys(names, "flip"),
        replicates=REPLICATES,
        flip_rates=flip_rates or {},
        sources=sources or {},
    )


def of_noise(
    test_M: NDArray[np.floating] | list[float],
    sample_M: NDArray[np.floating] | list[float] | None = None,
    *,
    P: int = 200,
    R: int = 8,
    Q: int = 200,
    seed: int = 0,
    optimizer: str = "bon",
) -> Optimised:
    """Reward models of this noise on the RM-test prompts, and of that noise on the RL-test prompts."""
    rng = np.random.default_rng(seed)
    scores = normal_scores(rng, np.asarray(test_M, dtype=float), P, R)
    samples = normal_scores(rng, np.asarray(test_M if sample_M is None else sample_M, dtype=float), Q, 16)
    return optimised(scores, samples, optimizer=optimizer)


def verdicts(claim: Claim) -> list[str]:
    """What was found, in the order of the findings."""
    return [finding.verdict for finding in claim.findings]
