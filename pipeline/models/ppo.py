"""PPO against a reward model, in-process, on the top blocks of a small model: read `PPO.step` first.

A step samples one response to each prompt of a batch, judges it, and takes a few epochs of clipped updates of policy
and critic. The frozen trunk runs once, while sampling. Formulas are in `ppo_losses`. As in the paper, the reward is the
score of the whole response, given at its last token; a KL penalty is possible and 0 by default.

Departures: only the top blocks learn; the score is standardised by the first rollouts' mean and deviation, which are
π_0's, so that a KL coefficient means the same for every reward model; a cut-off response gets what the reward model
gives to its text closed by the end token, or the set penalty.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.config import PPOSettings
from pipeline.errors import PipelineError
from pipeline.models.language_model import LanguageModel
from pipeline.models.performance.prompt_states import PromptStates
from pipeline.models.policy import Critic, Policy, SamplingDecoder
from pipeline.models.ppo_losses import advantages, policy_loss, sampled_kl, token_rewards, value_loss, whitened
from pipeline.models.reward_model import Judge, RewardModel
from pipeline.models.rollout import Rollout, roll_out
from pipeline.models.trunk import shared_layers

Stats = dict[str, float]

_PASS_ROWS = 32
_ADAM_EPSILON = 1e-5
_LEAST_STD = 1e-6
_ROLLOUT, _MINIBATCHES = range(2)
"""Purposes that have a seed of their own, so that a step made again is the same."""


class Diverged(PipelineError, ArithmeticError):
    """The optimisation of one policy went wrong; the message says what was noticed and when."""


@dataclass(frozen=True)
class Batch:
    """A rollout with all that the updates on it need; `[B, T]` are 0 where there is no token."""

    rollout: Rollout
    log_p_BT: Tensor
    values_BT: Tensor
    advantages_BT: Tensor
    returns_BT: Tensor


class PPO:
    """One policy on its way from π_0; `steps_done` says how far it is."""

    def __init__(
        self,
        language_model: LanguageModel,
        reward_model: RewardModel,
        settings: PPOSettings,
        *,
        kl_coefficient: float,
        temperature: float,
        max_new_tokens: int,
        seed: int,
        score: Callable[[Rollout], Tensor] | None = None,
        states: PromptStates | None = None,
    ) -> None:
        """Begin at π_0. `score`, if given, judges rollouts `[B]` in the reward model's place.

        `states` of prompts may be shared by all policies with the same `shared_layers`.
        """
        layers = shared_layers(language_model, settings.trainable_layers, reward_model.trainable_layers)
        self.settings = settings
        self.layers = layers
        self.kl_coefficient = kl_coefficient
        self.steps_done = 0
        self.reward_mean, self.reward_std = 0.0, 1.0
        self.language_model = language_model
        self._temperature, self._max_new_tokens, self._seed = temperature, max_new_tokens, seed
        self.policy = Policy(language_model, layers, settings.trainable_layers)
        self.reference = Policy(language_model, layers, settings.trainable_layers).requires_grad_(False)
        self.critic = Critic(language_model, layers, reward_model)
        self._sampling = SamplingDecoder(language_model, layers)
        self._states = states or PromptStates(language_model, layers)
        self._score = score
        self._judge = Judge(language_model, reward_model, layers)
        self.optimizer = torch.optim.Adam(
            [
                {"params": list(_learning(self.policy)), "lr": settings.actor_learning_rate},
                {"params": list(_learning(self.critic)), "lr": settings.critic_learning_rate},
            ],
            eps=_ADAM_EPSILON,
        )

    def step(self, prompts: Sequence[str], rollout: Rollout | None = None) -> Stats:
        """One step: sample, judge, update. Returns what was seen of the policy before the update, and of the update.

        `rollout`, if given, is one of the policy as it stands, made already, on the prompts.
        Raises Diverged if something is no number any more, or the policy too far from π_0; the policy is then lost.
        """
        rollout = rollout or self.sample(prompts, self.seed(_ROLLOUT, self.steps_done))
        batch, seen = self._judged(rollout)
        self._check(seen)
        made = self._update(batch)
        self._check(made)
        self.steps_done += 1
        return seen | made

    def sample(self, prompts: Sequence[str], seed: int, deeper: bool = False) -> Rollout:
        """A response of the policy as it stands to each prompt; `deeper`: for judges of deeper trunks too."""
        self._sampling.update(self.policy)
        return roll_out(
            self.language_model,
            self._sampling,
            self._states,
            prompts,
            self._temperature,
            self._max_new_tokens,
            seed,
            deeper,
        )

    @torch.no_grad()
    def divergence(self, rollout: Rollout, rows: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
        """KL from π_0 by k1 and by k3, nats, for each response `[B]` of a rollout of this policy, or those named."""
        chosen = list(range(len(rollout))) if rows is None else list(rows)
        log_p_BT, reference_log_p_BT = torch.zeros(rollout.shape), torch.zeros(rollout.shape)
        for part in _by_prompt(rollout, chosen):
            reading = rollout.reading(self.language_model, part)
            for network, log_p in ((self.policy, log_p_BT), (self.reference, reference_log_p_BT)):
                log_p[part] = self._log_p(network, rollout, part, network.outputs(reading)[reading.predicting_N])
        return sampled_kl(log_p_BT[chosen], reference_log_p_BT[chosen], rollout.mask()[chosen])

    @torch.no_grad()
    def scores(self, rollout: Rollout, judges: Mapping[str, Judge]) -> dict[str, NDArray[np.float32]]:
        """Scores `[B]` of responses as sampled; judges are of this policy's trunk or of the rollout's deeper ones."""
        scores = {name: np.empty(len(rollout), np.float32) for name in judges}
        for rows in _by_prompt(rollout):
            reference = self.reference.outputs(rollout.reading(self.language_model, rows))
            readings = {
                layers: rollout.reading(self.language_model, rows, layers)
                for layers in {judge.layers for judge in judges.values()}
            }
            for name, judge in judges.items():
                scores[name][rows] = judge.scores(readings[judge.layers], reference).cpu().numpy()
        return scores

    def state(self) -> dict[str, Tensor]:
        """A copy of everything the next step depends on, for safetensors; `restore` takes it back."""
        tensors = {f"policy.{name}": value for name, value in self.policy.state_dict().items()}
        tensors |= {f"critic.{name}": value for name, value in self.critic.state_dict().items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
        scale = torch.tensor([self.reward_mean, self.reward_std], dtype=torch.float64)
        tensors |= {"reward_scale": scale, "steps_done": torch.tensor(self.steps_done)}
        return {name: value.detach().cpu().clone() for name, value in tensors.items()}

    def policy_weights(self) -> dict[str, Tensor]:
        """The policy's blocks and norm, rounded to the language model's own precision."""
        dtype = self.policy.head_weight.dtype
        return {name: value.detach().to(dtype).cpu().contiguous() for name, value in self.policy.state_dict().items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from what `state` gave; in states of earlier versions the optimiser is spelt `optimiser`."""
        for module, prefix in ((self.policy, "policy."), (self.critic, "critic.")):
            own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            module.load_state_dict(own)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(("optimizer.", "optimiser.")):
                _, number, moment = name.split(".")
                moments.setdefault(int(number), {})[moment] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        self.reward_mean, self.reward_std = tensors["reward_scale"].tolist()
        self.steps_done = int(tensors["steps_done"])

    @torch.no_grad()
    def _judged(self, rollout: Rollout) -> tuple[Batch, Stats]:
        """The rollout's log-probabilities, values and advantages, and what is to be seen of it."""
        mask_BT, score_B, entropy = rollout.mask(), torch.zeros(len(rollout)), 0.0
        log_p_BT, reference_log_p_BT, values_BT = (torch.zeros(rollout.shape) for _ in range(3))
        for rows in _by_prompt(rollout):
            reading = rollout.reading(self.language_model, rows)
            reference = self.reference.outputs(reading)
            reference_log_p_BT[rows] = self._log_p(self.reference, rollout, rows, reference[reading.predicting_N])
            policy_ND = self.policy.outputs(reading)[reading.predicting_N]
            tokens_N = rollout.tokens(rows).to(policy_ND.device)
            log_p_N, entropy_N = self.policy.with_entropies(policy_ND, tokens_N, self._temperature)
            log_p_BT[rows] = rollout.spread(rows, log_p_N)
            entropy += float(entropy_N.sum())
            values_BT[rows] = rollout.spread(rows, self.critic.values(reading))
            if self._score is None:
                score_B[rows] = self._judge.scores(reading, reference).cpu()
        if self._score is not None:
            score_B = self._score(rollout)
        if self.settings.truncation_score is not None:
            score_B[~rollout.finished_B] = self.settings.truncation_score
        if self.steps_done == 0:
            self.reward_mean, self.reward_std = float(score_B.mean()), max(float(score_B.std()), _LEAST_STD)
        reward_B = (score_B - self.reward_mean) / self.reward_std
        rewards_BT = token_rewards(reward_B, log_p_BT, reference_log_p_BT, mask_BT, self.kl_coefficient)
        advantages_BT, returns_BT = advantages(
            rewards_BT, values_BT, mask_BT, self.settings.discount, self.settings.gae_lambda
        )
        k1_B, k3_B = sampled_kl(log_p_BT, reference_log_p_BT, mask_BT)
        seen = {
            "reward": float(score_B.mean()),
            "standardised_reward": float(reward_B.mean()),
            "kl_k1": float(k1_B.mean()),
            "kl_k3": float(k3_B.mean()),
            "entropy": entropy / int(mask_BT.sum()),
            "response_tokens": float(rollout.lengths_B.float().mean()),
            "finished_share": float(rollout.finished_B.float().mean()),
        }
        whitened_BT = whitened(advantages_BT, mask_BT)
        return Batch(rollout, log_p_BT, values_BT, whitened_BT, returns_BT), seen

    def _update(self, batch: Batch) -> Stats:
        """Some epochs of minibatches, drawn anew in each; the figures are means over all of them."""
        settings, rng = self.settings, np.random.default_rng(self.seed(_MINIBATCHES, self.steps_done))
        figures: list[tuple[float, ...]] = []
        for _ in range(settings.epochs):
            for rows in _minibatches(batch.rollout, settings.minibatches, rng):
                self.optimizer.zero_grad()
                policy, value, clipped, moved = self._losses(batch, rows)
                loss = policy + settings.value_coefficient * value
                if not torch.isfinite(loss):
                    raise self._diverged(f"the loss is {loss.item()}")
                loss.backward()
                norms = [
                    torch.nn.utils.clip_grad_norm_(group["params"], settings.clip_norm)
                    for group in self.optimizer.param_groups
                ]  # each by itself: the critic's, large at first, would shrink the policy's
                if not all(torch.isfinite(norm) for norm in norms):
                    raise self._diverged(f"the gradient's norms are {[norm.item() for norm in norms]}")
                self.optimizer.step()
                figures.append((policy.item(), value.item(), clipped.item(), moved.item(), norms[0].item()))
        names = ("policy_loss", "value_loss", "clip_share", "update_kl", "gradient_norm")
        return dict(zip(names, np.mean(figures, axis=0).tolist(), strict=True))

    def _losses(self, batch: Batch, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Policy loss, value loss, share of clipped tokens, and how far the minibatch's policy has moved (k3, nats)."""
        rollout, mask = batch.rollout, batch.rollout.mask(rows)
        reading = rollout.reading(self.language_model, rows)
        output_ND = self.policy.outputs(reading)[reading.predicting_N]
        log_p = self.policy.log_probabilities(output_ND, rollout.tokens(rows), self._temperature)
        values = self.critic.values(reading)
        old_log_p, old_values, advantage, returns = (
            whole[rows][mask].to(log_p.device)
            for whole in (batch.log_p_BT, batch.values_BT, batch.advantages_BT, batch.returns_BT)
        )
        policy, clipped = policy_loss(log_p, old_log_p, advantage, self.settings.clip_range)
        value = value_loss(values, old_values, returns, self.settings.value_clip_range)
        log_ratio = (log_p - old_log_p).detach()
        return policy, value, clipped, (torch.expm1(log_ratio) - log_ratio).mean()

    def _log_p(self, network: Policy, rollout: Rollout, rows: Tensor, output_ND: Tensor) -> Tensor:
        tokens_N = rollout.tokens(rows).to(output_ND.device)
        return rollout.spread(rows, network.log_probabilities(output_ND, tokens_N, self._temperature))

    def seed(self, *numbers: int) -> int:
        return int(np.random.SeedSequence([self._seed, *numbers]).generate_state(1)[0])

    def _check(self, stats: Stats) -> None:
        wrong = [name for name, value in stats.items() if not math.isfinite(value)]
        if wrong:
            raise self._diverged(f"{wrong[0]} is {stats[wrong[0]]}")
        if stats.get("kl_k3", 0.0) > self.settings.kl_limit:  # never negative, as the sampled k1 may be
            raise self._diverged(f"KL from π_0 is {stats['kl_k3']:.1f} nats, above kl_limit {self.settings.kl_limit:g}")

    def _diverged(self, what: str) -> Diverged:
        return Diverged(f"{what} in step {self.steps_done + 1}")


def _learning(module: nn.Module) -> Iterator[nn.Parameter]:
    return (parameter for parameter in module.parameters() if parameter.requires_grad)


def _minibatches(rollout: Rollout, count: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """All rows in random parts, those of a prompt together, so that it is read once; singly if prompts are too few."""
    groups = torch.unique(rollout.prompts_B, return_inverse=True)[1].numpy()
    if groups.max() + 1 < count:
        groups = np.arange(len(rollout))
    for part in np.array_split(rng.permutation(groups.max() + 1), count):
        yield torch.from_numpy(np.flatnonzero(np.isin(groups, part)))


def _by_prompt(rollout: Rollout, chosen: Sequence[int] | None = None) -> tuple[Tensor, ...]:
    """Rows, all or the chosen, in groups of one prompt, or of prompts of like length, for passes that learn nothing."""
    rows = np.arange(len(rollout)) if chosen is None else np.asarray(chosen)
    order = np.lexsort((rollout.prompts_B.numpy()[rows], rollout.starts_B.numpy()[rows]))
    return torch.from_numpy(rows[order]).split(_PASS_ROWS)
