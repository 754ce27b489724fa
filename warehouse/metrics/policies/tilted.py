"""The tilted policy, π_λ ∝ π_0 · exp(λ·r/s), by weighting stored samples of π_0: what KL-regularised training aims at.

It is the exact optimum of E[r] − β·KL with β = s/λ (METHOD, "Optimisers"). s is the reward model's standard deviation
within prompts, so that λ means the same for all reward models: for normal scores the own gain is λ standard deviations
at λ²/2 nats. Weights are self-normalised per prompt: no training, no Monte Carlo. Beyond what the samples hold they
fall on a few of them, and gain and KL come out too small: where the effective sample size is below LEAST_EFFECTIVE, the
policy is undefined on the prompt (docs/log.md, 2026-11-29, has the simulation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warehouse.metrics.cube import ScoreCube, expected_of_cube, spread_within_prompts
from warehouse.metrics.policies.best_of_n import expected
from warehouse.stats.bootstrap import Bools, Floats

STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
"""Every λ that is computed, fixed beforehand."""

LEAST_EFFECTIVE = 8.0
"""The effective sample size below which the policy is undefined on a prompt."""

_OFFERED = 0.5


def tilted_weights(scores_PN: Floats, spread: float, strengths: Sequence[float]) -> Floats:
    """Weights `[P, N, S]` of N samples of each prompt, with sum 1, for each λ in `strengths`.

    `spread` is the reward model's standard deviation within prompts, in units of its scores; one of 0 weighs evenly.
    """
    above_PN = (scores_PN - scores_PN.max(axis=1, keepdims=True)) / (spread if spread > 0 else np.inf)
    weights_PNS = np.exp(above_PN[:, :, None] * np.asarray(strengths, dtype=np.float64))
    normalised: Floats = weights_PNS / weights_PNS.sum(axis=1, keepdims=True)
    return normalised


def effective_samples(weights_PNS: Floats) -> Floats:
    """Effective sample size `[S, P]` of normalised weights: 1/Σw²."""
    effective: Floats = 1.0 / np.square(weights_PNS).sum(axis=1).T
    return effective


def tilted_kl(weights_PNS: Floats) -> Floats:
    """KL(π_λ‖π_0) `[S, P]` in nats by normalised weights: E_w[log(N·w)].

    Too small with few samples, as the normaliser is estimated from the same ones; never below 0 nor above log N.
    """
    N = weights_PNS.shape[1]
    logs_PNS = np.log(N * weights_PNS, out=np.zeros_like(weights_PNS), where=weights_PNS > 0)
    kl_SP: Floats = np.maximum((weights_PNS * logs_PNS).sum(axis=1).T, 0.0)
    return kl_SP


def tilted_expected(
    quantities_KPN: ArrayLike, scores_MPN: ArrayLike, strengths: Sequence[float], spread_M: Floats
) -> Floats:
    """Expectation `[S, K, M proxy, P]` of K quantities of each sample under the policy tilted by each proxy.

    Of scores in the place of the quantities, these are the policies' values.
    """

    def weigh(proxy_PN: Floats, m: int) -> Floats:
        return tilted_weights(proxy_PN, float(spread_M[m]), strengths)

    return expected(quantities_KPN, scores_MPN, len(strengths), weigh)


class TiltedPolicies(NamedTuple):
    """What can be tilted in a sample: KL `[S, M, P]` in nats, and where each policy is defined, for these λ."""

    strengths: tuple[float, ...]
    kl_SMP: Floats
    defined_SMP: Bools

    @property
    def defined_SP(self) -> Bools:
        """The prompts on which the policies of all reward models are defined, `[S, P]`: values are of these."""
        return np.asarray(self.defined_SMP.all(axis=1))

    @property
    def kl_SM(self) -> Floats:
        """Mean KL `[S, M]` over the prompts on which all are defined; 0 where there are none."""
        defined_SP = self.defined_SP
        summed_SM = np.einsum("smp,sp->sm", self.kl_SMP, defined_SP)
        return summed_SM / np.maximum(defined_SP.sum(axis=1), 1)[:, None]

    def offered(self) -> TiltedPolicies:
        """Those λ at which at least half of the prompts are defined for all reward models."""
        places = np.flatnonzero(self.defined_SP.mean(axis=1) >= _OFFERED)
        strengths = tuple(self.strengths[place] for place in places)
        return TiltedPolicies(strengths, self.kl_SMP[places], self.defined_SMP[places])


def tilted_policies(cube: ScoreCube, strengths: Sequence[float] = STRENGTHS) -> TiltedPolicies:
    """The policies tilted by each reward model of a cube, whose prompts may have different numbers of samples."""
    M, P, _ = cube.scores_MPR.shape
    kl_SMP, defined_SMP = np.zeros((len(strengths), M, P)), np.zeros((len(strengths), M, P), dtype=bool)
    if cube.counts_P.max() <= LEAST_EFFECTIVE:  # as many effective samples would take equal scores
        return TiltedPolicies(tuple(strengths), kl_SMP, defined_SMP)
    spread_M = spread_within_prompts(cube)
    for count, places in cube.by_count():
        for m in range(M):
            scores_PN = cube.scores_MPR[m, places, :count].astype(np.float64)
            weights_PNS = tilted_weights(scores_PN, float(spread_M[m]), strengths)
            kl_SMP[:, m, places] = tilted_kl(weights_PNS)
            defined_SMP[:, m, places] = effective_samples(weights_PNS) >= LEAST_EFFECTIVE - 1e-9
    return TiltedPolicies(tuple(strengths), kl_SMP, defined_SMP)


def tilted_values(
    cube: ScoreCube, strengths: Sequence[float], prompts: NDArray[np.int64], quantities_KPR: ArrayLike | None = None
) -> Floats:
    """Values `[S, M golden, M proxy, prompts]` on these prompts of the policies tilted by each reward model of a cube.

    The standard deviation within prompts is that of all the cube's prompts. With `quantities_KPR` of all responses of
    the cube, their expectations `[S, K, M proxy, prompts]`. Raises InvalidChoice if no prompt has two samples.
    """
    spread_M = spread_within_prompts(cube)

    def expectations(quantities_KPN: Floats, scores_MPN: Floats) -> Floats:
        return tilted_expected(quantities_KPN, scores_MPN, strengths, spread_M)

    return expected_of_cube(cube, prompts, len(strengths), expectations, quantities_KPR)
