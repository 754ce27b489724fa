"""Simulated studies whose truth is computed: reward models are linear heads over Gaussian features of responses.

A response to a prompt of category c has features x ~ N(0, Σ_c); reward model m scores it w_m·x. So a proxy's accuracy
is ½ + arcsin(ρ)/π averaged over categories, with ρ the correlation of the two scores, and a policy's value is w_g·δ
with δ the mean features of what it answers. Nothing true is estimated from simulated prompts. Five kinds:

- `best-of-n`: policies pick the best of n by the proxy, from N samples a prompt, valued as the product values them;
- `ppo`: a policy moves the mean along the proxy's direction and, as training does, along one of its own;
- `null`: what decides the scores on RM-test prompts and on RL-test prompts is independent, so that nothing predicts;
- `heterogeneous`: as `ppo`, with categories that differ much and policies that move unequally far;
- `families`: the same with reward models of two families, mixed at random.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.cube import PolicyValues, ScoreCube, best_of_n_policies, score_cube
from warehouse.metrics.policies.repeats import averaged

Floats = NDArray[np.float64]

KINDS = ("best-of-n", "ppo", "null", "heterogeneous", "families")
UNLIKE = ("heterogeneous", "families")
FEATURES = 12
CATEGORIES = 6
PICKS_OF = 16
MANY_SAMPLES = 64


@dataclass(frozen=True)
class Size:
    """M reward models, P prompts on either side, R responses a prompt, and whether policies are valued with noise.

    Noisy values come from `P` RL-test prompts, of PPO from `ppo_samples` responses a prompt; clean ones are the truth.
    With an `oracle`, the first of the M is what all reward models have in common, without noise: golden only, as labels
    of people are. Each policy of PPO is optimised `repeats` times; where it ends varies with its seed by `seed_spread`.
    """

    M: int = 14
    P: int = 128
    R: int = 6
    noisy: bool = True
    ppo_samples: int = 2
    oracle: bool = False
    repeats: int = 1
    seed_spread: float = 0.0


class Planted:
    """One simulated population of prompts and reward models; `study(seed)` draws reward models, prompts and answers."""

    def __init__(self, kind: str, size: Size) -> None:
        self.kind, self.size = kind, size
        rng = np.random.default_rng((7, KINDS.index(kind)))
        spread = 0.9 if kind in UNLIKE else 0.35
        self._mix_cKK = np.empty((CATEGORIES, FEATURES, FEATURES))  # x = mix @ z with z standard normal
        for c in range(CATEGORIES):
            turn, _ = np.linalg.qr(rng.normal(size=(FEATURES, FEATURES)))
            self._mix_cKK[c] = turn @ np.diag(np.exp(spread * rng.normal(size=FEATURES))) @ turn.T

    def study(self, seed: int) -> PlantedStudy:
        """Reward models, scores and policies of this seed."""
        return PlantedStudy(self, np.random.default_rng((11, seed)))


class PlantedStudy:
    """What one study sees (`cube`, `values`), and what is true of its reward models (`accuracy_MM`, `ndr_MM`)."""

    def __init__(self, of: Planted, rng: np.random.Generator) -> None:
        self._of, self._size = of, of.size
        self._rng, self._rng_rm, self._rng_rl, self._rng_seeds = rng.spawn(4)
        M = self._size.M
        self.heads_MK = self._heads(M)
        # under the null, what scores rest on is drawn again for the RL-test side
        self.rl_heads_MK = self._heads(M) if of.kind == "null" else self.heads_MK
        self._shift_McK = self._shifts()

    def _heads(self, M: int) -> Floats:
        rng = self._rng
        common = np.zeros((M, FEATURES))
        common[:, 0] = 1.0
        if self._of.kind == "families":
            other = rng.random(M) < 0.5
            common[other, 1] = 0.7
        noise = rng.normal(size=(M, FEATURES)) / np.sqrt(FEATURES)
        heads = common + np.exp(rng.uniform(np.log(0.15), np.log(1.8), M))[:, None] * noise
        if self._size.oracle:
            heads[0] = common[0]
        return heads / np.linalg.norm(heads, axis=1, keepdims=True)

    def _shifts(self) -> Floats:
        """Mean features `[M, category, K]` of the policy optimised against each reward model."""
        mix = self._of._mix_cKK
        score_McK = np.einsum("mk,ckl->mcl", self.rl_heads_MK, mix)  # a score is this times standard normal numbers
        toward_McK = score_McK / np.linalg.norm(score_McK, axis=2, keepdims=True)
        if self._of.kind in ("ppo", *UNLIKE):
            own_MK = self._rng.normal(size=(self._size.M, FEATURES)) / np.sqrt(FEATURES)
            aside = 0.45
            size_M = np.exp(self._rng.normal(0.0, 0.2 if self._of.kind in UNLIKE else 0.1, self._size.M))
            toward_McK = size_M[:, None, None] * (toward_McK + aside * own_MK[:, None])
        else:
            expected_max = float(best_of_n_values_of_normal(PICKS_OF))
            toward_McK = expected_max * toward_McK
        return np.einsum("ckl,mcl->mck", mix, toward_McK)

    @cached_property
    def accuracy_MM(self) -> Floats:
        """True accuracy of every pair."""
        score_mcK = np.einsum("mk,ckl->mcl", self.heads_MK, self._of._mix_cKK)
        score_mcK /= np.linalg.norm(score_mcK, axis=2, keepdims=True)
        rho = np.clip(np.einsum("gcl,mcl->cgm", score_mcK, score_mcK), -1.0, 1.0)
        return (0.5 + np.arcsin(rho) / np.pi).mean(axis=0)

    @cached_property
    def ndr_MM(self) -> Floats:
        """True NDR of every pair, over RL-test prompts of all categories."""
        gain_MM = self.rl_heads_MK @ self._shift_McK.mean(axis=1).T
        return gain_MM / np.diagonal(gain_MM)[:, None]

    @cached_property
    def cube(self) -> ScoreCube:
        """Scores of R responses to P RM-test prompts."""
        size, rng = self._size, self._rng_rm
        category_P = rng.integers(0, CATEGORIES, size.P)
        scores = np.empty((size.M, size.P, size.R), dtype=np.float32)
        for c in range(CATEGORIES):
            rows = np.flatnonzero(category_P == c)
            z = rng.normal(size=(len(rows) * size.R, FEATURES))
            scores[:, rows] = ((self.heads_MK @ self._of._mix_cKK[c]) @ z.T).reshape(size.M, len(rows), size.R)
        cube = score_cube(scores)
        return cube.with_goldens([cube.reward_models[0]]) if size.oracle else cube

    @cached_property
    def values(self) -> PolicyValues:
        """Values of the policies on P RL-test prompts; where they are clean, the truth at every prompt."""
        size, rng = self._size, self._rng_rl
        if not size.noisy:
            gain_MM = self.rl_heads_MK @ self._shift_McK.mean(axis=1).T
            return _values(np.repeat(gain_MM[:, :, None], 2, axis=2))
        category_Q = rng.integers(0, CATEGORIES, size.P)
        if self._of.kind in ("best-of-n", "null"):
            samples = np.empty((size.M, size.P, MANY_SAMPLES))
            for c in range(CATEGORIES):
                rows = np.flatnonzero(category_Q == c)
                z = rng.normal(size=(len(rows) * MANY_SAMPLES, FEATURES))
                scores = (self.rl_heads_MK @ self._of._mix_cKK[c]) @ z.T
                samples[:, rows] = scores.reshape(size.M, len(rows), MANY_SAMPLES)
            return best_of_n_policies(samples, PICKS_OF)
        gain_TMMQ = np.empty((size.repeats, size.M, size.M, size.P))
        of_seed_TMcK = self._of_seeds()
        for q, c in enumerate(category_Q):
            far = np.exp(rng.normal(0.0, 0.5) - 0.125)  # some prompts leave more to gain than others
            for t in range(size.repeats):
                noise = rng.normal(size=(size.M, FEATURES)) @ self._of._mix_cKK[c].T / np.sqrt(size.ppo_samples)
                shift_MK = far * (self._shift_McK[:, c] + of_seed_TMcK[t, :, c])
                gain_TMMQ[t, :, :, q] = self.rl_heads_MK @ (shift_MK + noise).T
        mean_MMQ, repeats = averaged(gain_TMMQ, np.ones((size.repeats, size.M), dtype=bool))
        return replace(_values(mean_MMQ), repeats=repeats)

    def _of_seeds(self) -> Floats:
        """What the seed of each optimisation adds to the mean features, `[T, M, category, K]`."""
        size = self._size
        own_TMK = self._rng_seeds.normal(size=(size.repeats, size.M, FEATURES)) / np.sqrt(FEATURES)
        return size.seed_spread * np.einsum("ckl,tml->tmck", self._of._mix_cKK, own_TMK)


def _values(gain_MMQ: Floats) -> PolicyValues:
    """Policy values whose gains are these; the initial policy's are 0."""
    M, _, Q = gain_MMQ.shape
    return PolicyValues(
        np.zeros((M, Q)),
        gain_MMQ,
        tuple(f"rm-{m}" for m in range(M)),
        tuple(f"rl-{q}" for q in range(Q)),
        ("all",) * Q,
        ("all",) * Q,
    )


def best_of_n_values_of_normal(n: int) -> float:
    """The expected greatest of n standard normal numbers, by quadrature."""
    from scipy import integrate, stats

    density = lambda x: x * n * stats.norm.pdf(x) * stats.norm.cdf(x) ** (n - 1)  # noqa: E731
    return float(integrate.quad(density, -8, 8)[0])
