"""A policy that is trained against one reward model on the top blocks of a small model: what all optimisers share.

It starts at π_0. The frozen trunk below the trained blocks runs once, while sampling; log-probabilities, KL and the
scores of any reward model come from its outputs. `state` and `restore` carry everything that the next step depends on.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from pipeline.models.optimizers.losses import sampled_kl
from pipeline.models.performance.prompt_states import PromptStates
from pipeline.models.policy import Policy, SamplingDecoder
from pipeline.models.reward_model import Judge, RewardModel
from pipeline.models.rollout import Rollout, roll_out
from pipeline.models.trunk import shared_layers

Stats = dict[str, float]

_PASS_ROWS = 32
_ADAM_EPSILON = 1e-5


class Diverged(PipelineError, ArithmeticError):
    """The optimisation of one policy diverged; the message says how and in which step."""


class Learner(NamedTuple):
    """A network that learns, and its learning rate."""

    network: nn.Module
    learning_rate: float


class TrainedPolicy(ABC):
    """One policy and its optimisation; `steps_done` counts the steps."""

    takes_pool = False
    """Whether a step learns from stored responses of π_0 instead of rollouts of its own."""

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
        self.temperature, self._max_new_tokens, self._seed = temperature, max_new_tokens, seed
        self.policy = Policy(language_model, layers, settings.trainable_layers)
        self.reference = Policy(language_model, layers, settings.trainable_layers).requires_grad_(False)
        self._sampling = SamplingDecoder(language_model, layers)
        self._states = states or PromptStates(language_model, layers)
        self._score = score
        self.judge = Judge(language_model, reward_model, layers)
        self._learners = self.learners(reward_model)
        self.optimizer = torch.optim.Adam(
            [{"params": list(_learning(network)), "lr": rate} for network, rate in self._learners.values()],
            eps=_ADAM_EPSILON,
        )

    def learners(self, reward_model: RewardModel) -> dict[str, Learner]:
        """The networks that learn, by the names that their weights have in a `state`."""
        del reward_model
        return {"policy": Learner(self.policy, self.settings.actor_learning_rate)}

    @abstractmethod
    def step(self, prompts: Sequence[str], rollout: Rollout | None = None) -> Stats:
        """One step. Returns figures of the policy before its update, and of the update.

        `rollout`: responses of the current policy to these prompts, if they were sampled already. Raises Diverged if a
        figure is not finite or the policy too far from π_0; the policy is then unusable.
        """

    def sample(self, prompts: Sequence[str], seed: int, deeper: bool = False) -> Rollout:
        """A response of the current policy to each prompt; `deeper`: also for judges of deeper trunks."""
        self._sampling.update(self.policy)
        return roll_out(
            self.language_model,
            self._sampling,
            self._states,
            prompts,
            temperature=self.temperature,
            max_new_tokens=self._max_new_tokens,
            seed=seed,
            deeper=deeper,
        )

    @torch.no_grad()
    def divergence(self, rollout: Rollout, rows: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
        """KL from π_0 by k1 and by k3, nats `[B]`, of the responses of this policy's rollout, or of some rows."""
        chosen = list(range(len(rollout))) if rows is None else list(rows)
        log_p_BT, reference_log_p_BT = torch.zeros(rollout.shape), torch.zeros(rollout.shape)
        for part in by_prompt(rollout, chosen):
            reading = rollout.reading(self.language_model, part)
            for network, log_p in ((self.policy, log_p_BT), (self.reference, reference_log_p_BT)):
                log_p[part] = self.log_p(network, rollout, part, reading.through(network.top)[reading.predicting_N])
        return sampled_kl(log_p_BT[chosen], reference_log_p_BT[chosen], rollout.mask()[chosen])

    @torch.no_grad()
    def scores(self, rollout: Rollout, judges: Mapping[str, Judge]) -> dict[str, NDArray[np.float32]]:
        """Scores `[B]` of the sampled responses, by judges of this policy's trunk or of the rollout's deeper ones."""
        scores = {name: np.empty(len(rollout), np.float32) for name in judges}
        for rows in by_prompt(rollout):
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
        tensors = {
            f"{prefix}.{name}": value
            for prefix, learner in self._learners.items()
            for name, value in learner.network.state_dict().items()
        }
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
        for prefix, learner in self._learners.items():
            start = f"{prefix}."
            own = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
            learner.network.load_state_dict(own)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(("optimizer.", "optimiser.")):
                _, number, moment = name.split(".")
                moments.setdefault(int(number), {})[moment] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        self.reward_mean, self.reward_std = tensors["reward_scale"].tolist()
        self.steps_done = int(tensors["steps_done"])

    def log_p(self, network: Policy, rollout: Rollout, rows: Tensor, output_ND: Tensor) -> Tensor:
        """log π of the tokens of these rows, `[rows, T]`, 0 beyond their ends, from what predicts them."""
        tokens_N = rollout.tokens(rows).to(output_ND.device)
        return rollout.spread(rows, network.log_probabilities(output_ND, tokens_N, self.temperature))

    def learn(self, loss: Tensor) -> list[float]:
        """One step of Adam on a loss of shape `[]`; returns the norm of each network's gradient before it is clipped.

        Each is clipped by itself: one norm for all would let the critic's, large at first, shrink the policy's.
        """
        if not torch.isfinite(loss):
            raise self._diverged(f"the loss is {loss.item()}")
        self.optimizer.zero_grad()
        loss.backward()
        norms = [
            torch.nn.utils.clip_grad_norm_(group["params"], self.settings.clip_norm)
            for group in self.optimizer.param_groups
        ]
        if not all(torch.isfinite(norm) for norm in norms):
            raise self._diverged(f"the gradient's norms are {[norm.item() for norm in norms]}")
        self.optimizer.step()
        return [norm.item() for norm in norms]

    def seed(self, *numbers: int) -> int:
        """A seed for one purpose, from the policy's own seed and the purpose's numbers."""
        return int(np.random.SeedSequence([self._seed, *numbers]).generate_state(1)[0])

    def check(self, stats: Stats) -> None:
        """Raises Diverged if a figure is not finite, or the policy farther from π_0 than `kl_limit`."""
        wrong = [name for name, value in stats.items() if not math.isfinite(value)]
        if wrong:
            raise self._diverged(f"{wrong[0]} is {stats[wrong[0]]}")
        if stats.get("kl_k3", 0.0) > self.settings.kl_limit:  # never negative, as the sampled k1 may be
            raise self._diverged(f"KL from π_0 is {stats['kl_k3']:.1f} nats, above kl_limit {self.settings.kl_limit:g}")

    def _diverged(self, what: str) -> Diverged:
        return Diverged(f"{what} in step {self.steps_done + 1}")


def _learning(module: nn.Module) -> Iterator[nn.Parameter]:
    return (parameter for parameter in module.parameters() if parameter.requires_grad)


def minibatches(rollout: Rollout, count: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """All rows `[B]` in random parts, those of a prompt together so that it is read once; singly if prompts are few."""
    groups = torch.unique(rollout.prompts_B, return_inverse=True)[1].numpy()
    if groups.max() + 1 < count:
        groups = np.arange(len(rollout))
    for part in np.array_split(rng.permutation(groups.max() + 1), count):
        yield torch.from_numpy(np.flatnonzero(np.isin(groups, part)))


def by_prompt(rollout: Rollout, chosen: Sequence[int] | None = None) -> tuple[Tensor, ...]:
    """Rows `[B]`, all or the chosen, sorted by length of prompt and prompt, in groups for passes without gradient."""
    rows = np.arange(len(rollout)) if chosen is None else np.asarray(chosen)
    order = np.lexsort((rollout.prompts_B.numpy()[rows], rollout.starts_B.numpy()[rows]))
    return torch.from_numpy(rows[order]).split(_PASS_ROWS)


def load_tensors(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a safetensors file; None if it is missing or damaged."""
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError):
        return None
