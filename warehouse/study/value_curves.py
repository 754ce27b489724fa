"""Values of the policies of one optimiser at all its strengths: what every curve against strength starts from.

Shapes: `S` strengths, `M` reward models, `Q` RL-test prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.cube import PolicyValues
from warehouse.metrics.prompt_values import weighted_sums
from warehouse.metrics.test_set import prompts_in
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import REWARD_MODELS, RL_PROMPTS, Estimate, counts

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ValueCurves:
    """The values at each strength, ascending; all of the same reward models and prompts.

    `kl_SM[s, m]` is the divergence in nats of the policy optimised against reward model `m` at strength `s`, a bound
    where `kl_estimator` is `bound`. Sampled estimates such as k1 may be below 0: such a policy is taken to be at
    distance 0 (`distance_SM`), and counted (`below_zero`). `left_out` are reward models whose policies lack some of the
    strengths.
    """

    optimizer: str
    strengths: tuple[float, ...]
    kl_SM: Floats
    kl_estimator: str
    values: tuple[PolicyValues, ...]
    left_out: tuple[str, ...] = ()

    @property
    def reward_models(self) -> tuple[str, ...]:
        return self.values[0].reward_models

    @property
    def distance_SM(self) -> Floats:
        """Distance √KL of each policy from the initial one, `[S, M]` in √nats."""
        return distance(self.kl_SM)

    @property
    def below_zero(self) -> int:
        """How many policies have an estimated KL below 0."""
        return int((self.kl_SM < 0).sum())

    def prompts_in(self, rl_categories: Sequence[str]) -> NDArray[np.int64]:
        """Numbers of the RL-test prompts of these categories (none: all). Raises as `test_set.prompts_in`."""
        first = self.values[0]
        return prompts_in(first.categories, first.subsets, tuple(rl_categories) or None, None, "RL-test")


def distance(kl: NDArray[np.floating]) -> Floats:
    """√KL of divergences in nats, of the same shape; 0 where an estimate is below 0, which no divergence is."""
    return np.sqrt(np.maximum(kl, 0.0)).astype(np.float64)


def gains(values: PolicyValues, prompts: NDArray[np.int64], counts_BQ: NDArray[np.floating]) -> Floats:
    """Gain over the initial policy `[B, M golden, M optimised]`, in the golden's units, for each row of counts."""
    M, _ = values.initial_MQ.shape
    gains_MMQ = (values.optimised_MMQ - values.initial_MQ[:, None, :])[:, :, prompts]
    sums = weighted_sums(counts_BQ, gains_MMQ.reshape(M * M, len(prompts)).T)
    return (sums / len(prompts)).astype(np.float64).reshape(len(counts_BQ), M, M)


def drawn(prompts: int, reward_models: int, replicates: int, seed: int) -> tuple[Floats, Floats]:
    """Counts of RL-test prompts `[1 + B, Q]` and of reward models `[1 + B, M]`; the first row is the sample itself."""
    of_prompts = counts(prompts, replicates, seed, RL_PROMPTS)
    of_models = counts(reward_models, replicates, seed, REWARD_MODELS)
    return (
        np.concatenate([np.ones((1, prompts)), of_prompts]),
        np.concatenate([np.ones((1, reward_models)), of_models]),
    )


def estimate(value_B: Floats, defined_B: NDArray[np.bool_]) -> Estimate:
    """A figure with its interval from `[1 + B]` values, the sample's first, as the rows of `drawn` give them."""
    return bootstrap.estimate(float(value_B[0]), bool(defined_B[0]), value_B[1:], defined_B[1:])


def pair_weights(
    models_BM: Floats, pair_MM: NDArray[np.bool_], golden: str | None, proxy: str | None
) -> tuple[Floats, str]:
    """Weight `[1 + B, M golden, M proxy]` of each pair in each replicate, and what is resampled, in words.

    Reward models that are averaged over are resampled, as the rows of `models_BM` say; a named one is fixed.
    """
    fixed = np.ones_like(models_BM)
    golden_BM, proxy_BM = (models_BM if name is None else fixed for name in (golden, proxy))
    resampled = "reward models × prompts" if golden is None or proxy is None else "prompts"
    return golden_BM[:, :, None] * proxy_BM[:, None, :] * pair_MM, resampled
