"""PPO against a reward model, in-process, on the top blocks of a small model: read `PPO.step` first.

A step samples one response to each prompt of a batch, scores it, and takes a few epochs of clipped updates of policy
and critic. The frozen trunk runs once, while sampling. Formulas are in `ppo_losses`. As in the paper, the reward is the
score of the whole response, given at its last token; a KL penalty is optional and 0 by default.

Departures: only the top blocks are trained; the score is standardised by the mean and deviation of the first rollouts,
which are π_0's, so that a KL coefficient means the same for every reward model; a cut-off response gets the score of
its text closed by the end token, or `truncation_score`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
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
"""Purposes with seeds of their own, so that a repeated step gives the same result."""


class Diverged(PipelineError, ArithmeticError):
    """The optimisation of one policy diverged; the message says how and in which step."""


@dataclass(frozen=True)
class Batch:
    """A rollout with everything its updates need, `[B, T]`, 0 where there is no token."""

    rollout: Rollout
    log_p_BT: Tensor
    values_BT: Tensor
    advantages_BT: Tensor
    returns_BT: Tensor


class Losses(NamedTuple):
    """Policy loss, value loss, share of clipped tokens, and KL of the minibatch's update (k3, nats): scalars."""

    policy: Tensor
    value: Tensor
    clipped: Tensor
    moved: Tensor


class PPO:
    """One policy and its optimisation, which starts at π_0; `steps_done` counts the steps."""

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
        """`score`, if given, scores rollouts `[B]` instead of the reward model.

        `states` of prompts may be shared by all policies with the same `shared_layers`.
        """
        self.layers = layers = shared_layers(language_model, settings.trainable_layers, reward_model.trainable_layers)
        self.settings, self.kl_coefficient, self.steps_done = settings, kl_coefficient, 0
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
        """One step: sample, score, update. Returns figures of the policy before the update, and of the update.

        `rollout`: one of the current policy on these prompts, if it was sampled already. Raises Diverged if a figure is
        not finite or the policy too far from π_0; the policy is then unusable.
        """
        rollout = rollout or self.sample(prompts, self.seed(_ROLLOUT, self.steps_done))
        batch, before = self._judged(rollout)
        self._check(before)
        update = self._update(batch)
        self._check(update)
        self.steps_done += 1
        return before | update

    def sample(self, prompts: Sequence[str], seed: int, deeper: bool = False) -> Rollout:
        """A response of the current policy to each prompt; `deeper`: also for judges of deeper trunks."""
        self._sampling.update(self.policy)
        return roll_out(
            self.language_model,
            self._sampling,
            self._states,
            prompts,
            temperature=self._temperature,
            max_new_tokens=self._max_new_tokens,
            seed=seed,
            deeper=deeper,
        )

    @torch.no_grad()
    def divergence(self, rollout: Rollout, rows: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
        """KL from π_0 by k1 and by k3, nats `[B]`, of the responses of this policy's rollout, or of some rows."""
        chosen = list(range(len(rollout))) if rows is None else list(rows)
        log_p_BT, reference_log_p_BT = torch.zeros(rollout.shape), torch.zeros(rollout.shape)
        for part in _by_prompt(rollout, chosen):
            reading = rollout.reading(self.language_model, part)
            for network, log_p in ((self.policy, log_p_BT), (self.reference, reference_log_p_BT)):
                log_p[part] = self._log_p(network, rollout, part, reading.through(network.top)[reading.predicting_N])
        return sampled_kl(log_p_BT[chosen], reference_log_p_BT[chosen], rollout.mask()[chosen])

    @torch.no_grad()
    def scores(self, rollout: Rollout, judges: Mapping[str, Judge]) -> dict[str, NDArray[np.float32]]:
        """Scores `[B]` of the sampled responses, by judges of this policy's trunk or of the rollout's deeper ones."""
        scores = {name: np.empty(len(rollout), np.float32) for name in judges}
        for rows in _by_prompt(rollout):
            reference = rollout.reading(self.language_model, rows).through(self.reference.top)
            readings = {
                layers: rollout.reading(self.language_model, rows, layers)
                for layers in {judge.layers for judge in judges.values()}
            }
            for name, judge in judges.items():
                scores[name][rows] = judge.scores(readings[judge.layers], reference).cpu().numpy()
        return scores

    def state(self) -> dict[str, Tensor]:
        """A copy of everything that the next step depends on: see `restore`."""
        tensors = {f"policy.{name}": value for name, value in self.policy.state_dict().items()}
        tensors |= {f"critic.{name}": value for name, value in self.critic.state_dict().items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
        scale = torch.tensor([self.reward_mean, self.reward_std], dtype=torch.float64)
        tensors |= {"reward_scale": scale, "steps_done": torch.tensor(self.steps_done)}
        return {name: value.detach().cpu().clone() for name, value in tensors.items()}

    def save_state(self, path: Path) -> None:
        """Write `state` as safetensors."""
        save_file(self.state(), path)

    def save_policy(self, path: Path) -> None:
        """Write the policy's blocks and norm as safetensors, rounded to the language model's own precision."""
        dtype, weights = self.policy.head_weight.dtype, self.policy.state_dict()
        save_file({name: value.detach().to(dtype).cpu().contiguous() for name, value in weights.items()}, path)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from a `state`; states of earlier versions spell the optimiser `optimiser`."""
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
        """The rollout with log-probabilities, values and advantages, and the figures of the curve."""
        mask_BT, score_B, entropy = rollout.mask(), torch.zeros(len(rollout)), 0.0
        log_p_BT, reference_log_p_BT, values_BT = (torch.zeros(rollout.shape) for _ in range(3))
        for rows in _by_prompt(rollout):
            reading = rollout.reading(self.language_model, rows)
            reference = reading.through(self.reference.top)
            reference_log_p_BT[rows] = self._log_p(self.reference, rollout, rows, reference[reading.predicting_N])
            policy_ND = reading.through(self.policy.top)[reading.predicting_N]
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
        figures = {
            "reward": float(score_B.mean()),
            "standardised_reward": float(reward_B.mean()),
            "kl_k1": float(k1_B.mean()),
            "kl_k3": float(k3_B.mean()),
            "entropy": entropy / int(mask_BT.sum()),
            "response_tokens": float(rollout.lengths_B.float().mean()),
            "finished_share": float(rollout.finished_B.float().mean()),
        }
        whitened_BT = whitened(advantages_BT, mask_BT)
        return Batch(rollout, log_p_BT, values_BT, whitened_BT, returns_BT), figures

    def _update(self, batch: Batch) -> Stats:
        """Some epochs of minibatches, drawn again in each; the figures are means over all of them."""
        settings, rng = self.settings, np.random.default_rng(self.seed(_MINIBATCHES, self.steps_done))
        figures: list[tuple[float, ...]] = []
        for _ in range(settings.epochs):
            for rows in _minibatches(batch.rollout, settings.minibatches, rng):
                self.optimizer.zero_grad()
                losses = self._losses(batch, rows)
                loss = losses.policy + settings.value_coefficient * losses.value
                if not torch.isfinite(loss):
                    raise self._diverged(f"the loss is {loss.item()}")
                loss.backward()
                norms = [
                    torch.nn.utils.clip_grad_norm_(group["params"], settings.clip_norm)
                    for group in self.optimizer.param_groups
                ]  # one norm for both would let the critic's, large at first, shrink the policy's
                if not all(torch.isfinite(norm) for norm in norms):
                    raise self._diverged(f"the gradient's norms are {[norm.item() for norm in norms]}")
                self.optimizer.step()
                figures.append((*(figure.item() for figure in losses), norms[0].item()))
        names = ("policy_loss", "value_loss", "clip_share", "update_kl", "gradient_norm")
        return dict(zip(names, np.mean(figures, axis=0).tolist(), strict=True))

    def _losses(self, batch: Batch, rows: Tensor) -> Losses:
        rollout, mask = batch.rollout, batch.rollout.mask(rows)
        reading = rollout.reading(self.language_model, rows)
        output_ND = reading.through(self.policy.top)[reading.predicting_N]
        log_p = self.policy.log_probabilities(output_ND, rollout.tokens(rows), self._temperature)
        values = self.critic.values(reading)
        old_log_p, old_values, advantage, returns = (
            whole[rows][mask].to(log_p.device)
            for whole in (batch.log_p_BT, batch.values_BT, batch.advantages_BT, batch.returns_BT)
        )
        policy, clipped = policy_loss(log_p, old_log_p, advantage, self.settings.clip_range)
        value = value_loss(values, old_values, returns, self.settings.value_clip_range)
        log_ratio = (log_p - old_log_p).detach()
        return Losses(policy, value, clipped, (torch.expm1(log_ratio) - log_ratio).mean())

    def _log_p(self, network: Policy, rollout: Rollout, rows: Tensor, output_ND: Tensor) -> Tensor:
        tokens_N = rollout.tokens(rows).to(output_ND.device)
        return rollout.spread(rows, network.log_probabilities(output_ND, tokens_N, self._temperature))

    def seed(self, *numbers: int) -> int:
        """A seed for one purpose, from the policy's own seed and the purpose's numbers."""
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
    """All rows in random parts, those of a prompt together so that it is read once, but singly if prompts are few."""
    groups = torch.unique(rollout.prompts_B, return_inverse=True)[1].numpy()
    if groups.max() + 1 < count:
        groups = np.arange(len(rollout))
    for part in np.array_split(rng.permutation(groups.max() + 1), count):
        yield torch.from_numpy(np.flatnonzero(np.isin(groups, part)))


def _by_prompt(rollout: Rollout, chosen: Sequence[int] | None = None) -> tuple[Tensor, ...]:
    """Row numbers, all or the chosen, sorted by length of prompt and prompt, in groups for passes without gradient."""
    rows = np.arange(len(rollout)) if chosen is None else np.asarray(chosen)
    order = np.lexsort((rollout.prompts_B.numpy()[rows], rollout.starts_B.numpy()[rows]))
    return torch.from_numpy(rows[order]).split(_PASS_ROWS)


def load_tensors(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a safetensors file; None if it is missing or damaged."""
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError):
        return None
