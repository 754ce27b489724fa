"""Values of the policies of one optimiser at all its strengths: what every curve against strength starts from.

`values_at_kl` compares policies at the same KL from the initial policy instead of the same number of steps or samples.
Along its strengths, in their order, each policy's value is taken as linear in d = √KL between neighbours, starting from
the initial policy's at d = 0; it is read where the policy first gets as far as asked. A policy that never does is
undefined there. Best-of-n's KL is the bound log n − (n−1)/n, the same for every reward model.

Shapes: `S` strengths, `M` reward models, `Q` RL-test prompts. Arrays `[1 + B, …]` have the sample first, then B
bootstrap replicates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.cube import PolicyValues
from warehouse.metrics.prompt_values import weighted_sums
from warehouse.metrics.roles import Roles
from warehouse.metrics.test_set import prompts_in
from warehouse.stats.bootstrap import REWARD_MODELS, RL_PROMPTS, Bools, Floats, sample_and_counts
from warehouse.study.training_noise import training_noise


@dataclass(frozen=True)
class ValueCurves:
    """The values at each strength, ascending; all of the same reward models and prompts.

    `kl_SM[s, m]` is the divergence in nats of the policy optimised against reward model `m` at strength `s`, a bound
    where `kl_estimator` is `bound`. Sampled estimates such as k1 may be below 0: such a policy is taken to be at
    distance 0 (`distance_SM`), and counted (`below_zero`). `left_out` are reward models without policies at some of
    the strengths.
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
    def roles(self) -> Roles:
        """Which are goldens and which are proxies."""
        return self.values[0].roles

    def with_goldens(self, names: Sequence[str]) -> ValueCurves:
        """The same with these goldens, as `ScoreCube.with_goldens`."""
        return replace(self, values=tuple(replace(at, goldens=tuple(names)) for at in self.values))

    def for_golden(self, golden: str | None) -> ValueCurves:
        """The same if it is golden already, or with this one as the golden. Raises as `with_goldens`."""
        names, roles = self.reward_models, self.roles
        if golden is None or golden not in names or roles.goldens[names.index(golden)]:
            return self
        return self.with_goldens([golden])

    @property
    def distance_SM(self) -> Floats:
        """Distance √KL of each policy from the initial one, `[S, M]` in √nats."""
        return distance(self.kl_SM)

    @property
    def below_zero(self) -> int:
        """How many policies have an estimated KL below 0."""
        return int((self.kl_SM < 0).sum())

    def of_reward_models(self, names: Sequence[str]) -> ValueCurves:
        """The curves of some reward models only, in the order of these names. Raises UnknownName."""
        values = tuple(at.of_reward_models(names) for at in self.values)
        return replace(self, values=values, kl_SM=self.kl_SM[:, [self.reward_models.index(name) for name in names]])

    def prompts_in(self, rl_categories: Sequence[str]) -> NDArray[np.int64]:
        """Numbers `[prompts]` of the RL-test prompts of these categories (none: all); raises as `prompts_in`."""
        return prompts_in(self.values[0], "RL-test", categories=tuple(rl_categories) or None)

    def pairs(self, golden: str | None, proxy: str | None) -> Bools:
        """The pairs `[M golden, M proxy]` of this golden and this proxy; None stands for all of them.

        Raises UnknownName, and InvalidChoice for a reward model against itself.
        """
        names = self.reward_models
        for name in (golden, proxy):
            if name is not None and name not in names:
                known = ", ".join(names)
                raise UnknownName(f"no {self.optimizer} policies of reward model {name!r}; there are {known}")
        if golden is not None and golden == proxy:
            raise InvalidChoice(f"golden and proxy are both {golden!r}; nothing is lost on oneself")
        golden_M, proxy_M = (np.array([chosen in (None, name) for name in names]) for chosen in (golden, proxy))
        return golden_M[:, None] & proxy_M & self.roles.pairs_MM


def distance(kl: NDArray[np.floating]) -> Floats:
    """√KL of divergences in nats, of the same shape; 0 where an estimate is below 0, which no divergence is."""
    return np.sqrt(np.maximum(kl, 0.0)).astype(np.float64)


def gains(
    values: PolicyValues,
    prompts: NDArray[np.int64],
    counts_BQ: NDArray[np.floating],
    training: int | None = None,
    noisy_M: Bools | None = None,
) -> Floats:
    """Gain over the initial policy `[B, M golden, M optimised]`, in the golden's units, for each row of counts.

    With `training`, a seed, all rows but the first also draw the noise of training (`study.training_noise`), of the
    policies of these reward models `[M]` alone if they are given.
    """
    M, _ = values.initial_MQ.shape
    gains_MMQ = (values.optimised_MMQ - values.initial_MQ[:, None, :])[:, :, prompts]
    sums = weighted_sums(counts_BQ, gains_MMQ.reshape(M * M, len(prompts)).T)
    gain_BMM: Floats = (sums / len(prompts)).astype(np.float64).reshape(len(counts_BQ), M, M)
    noise = None if training is None else training_noise(values, prompts, len(counts_BQ) - 1, training)
    if noise is not None:
        gain_BMM[1:] += noise.any_BMM if noisy_M is None else noise.any_BMM * noisy_M
    return gain_BMM


def fixed_policies(curves: ValueCurves, golden: str | None, proxy: str | None) -> Bools:
    """Whose policies do not vary when reward models are drawn `[M]`: of a named one, and of goldens that are fixed.

    Their noise of training has to be drawn by itself; drawing the others draws theirs with them.
    """
    fixed_M = np.array([name in (golden, proxy) for name in curves.reward_models])
    return fixed_M if curves.roles.same else fixed_M | curves.roles.golden_M


class Drawn(NamedTuple):
    """How often RL-test prompts `[1 + B, Q]`, goldens and proxies `[1 + B, M]` are drawn, and how many reward models.

    Proxies are drawn; goldens with them where the same reward models are both, otherwise they are fixed.
    """

    prompts_BQ: Floats
    goldens_BM: Floats
    proxies_BM: Floats
    models: int


def draws(prompts: int, roles: Roles, replicates: int, seed: int) -> Drawn:
    """Draws for the sample, each once, and the replicates."""
    counts_BQ = sample_and_counts(prompts, replicates, seed, RL_PROMPTS)
    models = int(roles.proxy_M.sum())
    proxies_BM = np.zeros((len(counts_BQ), len(roles.proxies)))
    proxies_BM[:, roles.proxy_M] = sample_and_counts(models, replicates, seed, REWARD_MODELS)
    goldens_BM = proxies_BM if roles.same else np.ones_like(proxies_BM)
    return Drawn(counts_BQ, goldens_BM, proxies_BM, models)


class PairWeights(NamedTuple):
    """Weight `[1 + B, M golden, M proxy]` of each pair in each replicate, reward models drawn, and words for it.

    No reward models are drawn (None) where only prompts are.
    """

    weight_BMM: Floats
    models: int | None
    resampled: str


def pair_weights(drawn: Drawn, pair_MM: Bools, golden: str | None, proxy: str | None) -> PairWeights:
    """Reward models that are averaged over are resampled; a named one is fixed. `pair_MM` `[M, M]` are the pairs."""
    golden_BM = drawn.goldens_BM if golden is None else np.ones_like(drawn.goldens_BM)
    proxy_BM = drawn.proxies_BM if proxy is None else np.ones_like(drawn.proxies_BM)
    fixed_goldens = golden is not None or drawn.goldens_BM is not drawn.proxies_BM
    models = None if fixed_goldens and proxy is not None else drawn.models
    resampled = "prompts" if models is None else "reward models × prompts"
    return PairWeights(golden_BM[:, :, None] * proxy_BM[:, None, :] * pair_MM, models, resampled)


def strengths_read(kl_SM: Floats, optimised_SM: Bools, kl: float) -> list[int]:
    """The strengths that `values_at_kl` reads: where some policy first gets as far as `kl`, and the one before.

    If none does, the strength that gets farthest, which the error message names. `optimised_SM` says which policies
    exist.
    """
    crossings = [_crossing(kl_SM[:, m], optimised_SM[:, m], kl) for m in range(kl_SM.shape[1])]
    read = {s for crossing in crossings if crossing for s in crossing if s is not None}
    return sorted(read) or [int(np.where(optimised_SM, kl_SM, -np.inf).max(axis=1).argmax())]


def values_at_kl(values: Sequence[PolicyValues], kl_SM: Floats, kl: float) -> PolicyValues:
    """The policies' values where each has diverged by `kl` nats, from those at its S strengths, ascending.

    `kl_SM[s, m]` is the divergence at strength s of the policy optimised against reward model m, in nats; it is not
    looked at where `values[s].optimised_M` says there is no such policy. Raises InvalidChoice for a `kl` that is not
    above 0, or that no policy reaches.
    """
    if not kl > 0:
        raise InvalidChoice(f"KL is {kl:g}; give nats above 0")
    first = values[0]
    M = len(first.reward_models)
    optimised_SM = np.stack([np.ones(M, dtype=bool) if at.optimised_M is None else at.optimised_M for at in values])
    distance_SM = distance(kl_SM)
    optimised_MMQ = np.repeat(first.initial_MQ[:, None], M, axis=1)
    reached_M = np.zeros(M, dtype=bool)
    for m in range(M):
        crossing = _crossing(kl_SM[:, m], optimised_SM[:, m], kl)
        if crossing is None:
            continue
        before, reached = crossing
        before_MQ = first.initial_MQ if before is None else values[before].optimised_MMQ[:, m]
        start = 0.0 if before is None else distance_SM[before, m]
        share = (np.sqrt(kl) - start) / (distance_SM[reached, m] - start)
        optimised_MMQ[:, m] = (1 - share) * before_MQ + share * values[reached].optimised_MMQ[:, m]
        reached_M[m] = True
    if not reached_M.any():
        farthest = float(kl_SM[optimised_SM].max(initial=0.0))
        raise InvalidChoice(f"KL is {kl:g} nats; no policy gets that far: the farthest is at {farthest:.3g}")
    optimised_M = None if reached_M.all() else reached_M
    return replace(first, optimised_MMQ=optimised_MMQ, optimised_M=optimised_M, repeats=None)


def _crossing(kl_S: Floats, optimised_S: Bools, kl: float) -> tuple[int | None, int] | None:
    """The last strength before a policy gets as far as `kl` (None: the initial policy), and the first at which it does.

    None for a policy that never does. Strengths at which there is no policy are skipped.
    """
    strengths = np.flatnonzero(optimised_S)
    far = np.flatnonzero(kl_S[strengths] >= kl)
    if not len(far):
        return None
    place = int(far[0])
    return (int(strengths[place - 1]) if place else None), int(strengths[place])
