"""Studies in which Goodhart's curve is exactly true: reward models are linear heads over Gaussian features.

Features of a response are d independent standard normals, times its prompt's spread, plus its prompt's offset; reward
model m scores `w_m · x` with `|w_m| = 1`. Any two reward models are jointly normal with correlation `ρ = w_g · w_m`, so
the truth needs no estimate: accuracy is `½ + arcsin(ρ)/π`, and a proxy gain of 1 brings a golden gain of ρ, under
best-of-n and under a policy that shifts the features along the proxy's head. A prompt's spread is the same for all
reward models, which keeps the curve true however much prompts differ.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.cube import PolicyValues, ScoreCube, best_of_n_policies, score_cube, spread_within_prompts

Floats = NDArray[np.float64]


class TrueCurve(NamedTuple):
    """A study and its truth: `rho_MM` is both the correlation and the slope of golden on proxy gain."""

    cube: ScoreCube
    strengths: tuple[PolicyValues, ...]
    spread_M: Floats
    rho_MM: Floats


def true_curve(
    seed: int,
    *,
    M: int = 14,
    P: int = 128,
    R: int = 6,
    Q: int = 128,
    N: int = 16,
    at: tuple[float, ...] = (2, 4, 16),
    policies: str = "bon",
    responses: int = 2,
    unlike: float = 0.0,
    noise: tuple[float, float] = (0.2, 1.6),
    slope: float = 1.0,
) -> TrueCurve:
    """M reward models, P RM-test prompts × R responses, Q RL-test prompts × N samples of the initial policy.

    `policies` is `bon`, best of n of these samples for each n of `at`, or `ppo`, where `at` are shifts in standard
    deviations, and `responses` fresh samples a prompt give each policy's value. Prompts' spreads are log-normal with
    sd `unlike`; `noise` is the least and the largest distance of a head from the common direction. `slope` multiplies
    the golden gain of every policy of another reward model: 1 leaves the curve true.
    """
    rng = np.random.default_rng((seed, M, P, R, Q, N))
    heads_MD = _heads(rng, np.linspace(*noise, M))
    scores_MPR = _responses(rng, P, R, unlike) @ heads_MD.T
    spread_Q, offset_QD = _prompts(rng, Q, heads_MD.shape[1], unlike)
    samples_MQN = _drawn(rng, spread_Q, offset_QD, N) @ heads_MD.T
    samples_MQN = np.moveaxis(samples_MQN, -1, 0)
    if policies == "bon":
        strengths = [best_of_n_policies(samples_MQN, int(n)) for n in at]
    else:
        initial = best_of_n_policies(samples_MQN, 1)
        strengths = []
        for shift in at:
            optimised_MMQ = np.empty((M, M, Q))
            for m, head_D in enumerate(heads_MD):
                moved_QD = _drawn(rng, spread_Q, offset_QD, responses).mean(axis=1)
                moved_QD += shift * spread_Q[:, None] * head_D
                optimised_MMQ[:, m] = heads_MD @ moved_QD.T
            strengths.append(_with_values(initial, optimised_MMQ))
    departed = tuple(_with_values(values, _scaled(values, slope)) for values in strengths)
    return TrueCurve(
        score_cube(np.moveaxis(scores_MPR, -1, 0)), departed, spread_within_prompts(samples_MQN), heads_MD @ heads_MD.T
    )


def _heads(rng: np.random.Generator, noise_M: Floats, d: int = 12) -> Floats:
    """Unit heads `[M, d]`: a common direction, and noise of a size that differs between reward models."""
    noise_MD = noise_M[:, None] * rng.standard_normal((len(noise_M), d)) / np.sqrt(d)
    heads_MD = np.eye(1, d) + noise_MD
    return heads_MD / np.linalg.norm(heads_MD, axis=1, keepdims=True)


def _prompts(rng: np.random.Generator, prompts: int, d: int, unlike: float) -> tuple[Floats, Floats]:
    """Spread `[prompts]` and offset `[prompts, d]`."""
    return np.exp(unlike * rng.standard_normal(prompts)), rng.standard_normal((prompts, d))


def _drawn(rng: np.random.Generator, spread_Q: Floats, offset_QD: Floats, size: int) -> Floats:
    """Features `[prompts, size, d]` of responses of the initial policy."""
    drawn = rng.standard_normal((len(spread_Q), size, offset_QD.shape[1]))
    return drawn * spread_Q[:, None, None] + offset_QD[:, None]


def _responses(rng: np.random.Generator, prompts: int, size: int, unlike: float, d: int = 12) -> Floats:
    return _drawn(rng, *_prompts(rng, prompts, d, unlike), size)


def _scaled(values: PolicyValues, slope: float) -> Floats:
    """Values `[M, M, Q]` whose gain on other reward models is `slope` times what it was."""
    initial_MMQ = values.initial_MQ[:, None]
    factor_MM = np.where(np.eye(len(values.reward_models), dtype=bool), 1.0, slope)
    return initial_MMQ + factor_MM[:, :, None] * (values.optimised_MMQ - initial_MMQ)


def _with_values(values: PolicyValues, optimised_MMQ: Floats) -> PolicyValues:
    return PolicyValues(
        values.initial_MQ, optimised_MMQ, values.reward_models, values.prompts, values.categories, values.subsets
    )
