"""The loop that PPO, RLOO and GRPO share: sample, judge, and take some epochs of clipped updates. Read `step` first.

What differs is the advantage of a token and, for PPO, a critic: see `ppo`, `rloo` and `grpo`. As in the paper, the
reward is the score of the whole response; a KL penalty is optional.

Departures that all share:

1. Only the top blocks are trained; the frozen trunk runs once, while sampling.
2. The score is standardised by the mean and deviation of the first rollouts, which are π_0's, so that a KL coefficient
   means the same for every reward model.
3. A cut-off response gets the score of its text closed by the end token, less `truncation_penalty` such deviations; or
   `truncation_score`. Without either, nearly every update lengthens responses, which costs KL (docs/log.md).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.models.optimizers.losses import policy_loss, sampled_kl
from pipeline.models.optimizers.trained_policy import Stats, TrainedPolicy, by_prompt, minibatches
from pipeline.models.rollout import Rollout
from pipeline.models.trunk import Reading

_LEAST_STD = 1e-6
_ROLLOUT, _MINIBATCHES = range(2)
"""Purposes with seeds of their own, so that a repeated step gives the same result."""


class Judged(NamedTuple):
    """A rollout with the reward of each response `[B]`, standardised, and log π and log π_0 of each token `[B, T]`.

    `values_BT`: the critic's, where there is one. 0 where there is no token.
    """

    rollout: Rollout
    reward_B: Tensor
    log_p_BT: Tensor
    reference_log_p_BT: Tensor
    values_BT: Tensor


@dataclass(frozen=True)
class Batch:
    """A judged rollout with what its updates need, `[B, T]`, 0 where there is no token. `returns_BT`: for a critic."""

    judged: Judged
    advantages_BT: Tensor
    returns_BT: Tensor | None = None


class Current(NamedTuple):
    """Some rows as the networks of an update see them: their reading, log π `[N]` with gradient, real tokens' mask."""

    rows: Tensor
    reading: Reading
    log_p_N: Tensor
    mask: Tensor


class Loss(NamedTuple):
    """What is minimised, a scalar, and figures of it for the curve."""

    total: Tensor
    figures: dict[str, Tensor]


class OnPolicy(TrainedPolicy):
    """A policy that learns from its own rollouts."""

    @abstractmethod
    def batch(self, judged: Judged) -> Batch:
        """Advantages of every token of a rollout."""

    def step(self, prompts: Sequence[str], rollout: Rollout | None = None) -> Stats:
        rollout = rollout or self.sample(prompts, self.seed(_ROLLOUT, self.steps_done))
        judged, before = self._judged(rollout)
        self.check(before)
        update = self._update(self.batch(judged))
        self.check(update)
        self.steps_done += 1
        return before | update

    @torch.no_grad()
    def _judged(self, rollout: Rollout) -> tuple[Judged, Stats]:
        """The rollout as all its updates need it, and the figures of the curve."""
        mask_BT, score_B, entropy = rollout.mask(), torch.zeros(len(rollout)), 0.0
        log_p_BT, reference_log_p_BT, values_BT = (torch.zeros(rollout.shape) for _ in range(3))
        for rows in by_prompt(rollout):
            reading = rollout.reading(self.language_model, rows)
            reference = reading.through(self.reference.top)
            reference_log_p_BT[rows] = self.log_p(self.reference, rollout, rows, reference[reading.predicting_N])
            policy_ND = reading.through(self.policy.top)[reading.predicting_N]
            tokens_N = rollout.tokens(rows).to(policy_ND.device)
            log_p_N, entropy_N = self.policy.with_entropies(policy_ND, tokens_N, self.temperature)
            log_p_BT[rows] = rollout.spread(rows, log_p_N)
            entropy += float(entropy_N.sum())
            if (values_N := self.values(reading)) is not None:
                values_BT[rows] = rollout.spread(rows, values_N)
            if self._score is None:
                score_B[rows] = self.judge.scores(reading, reference).cpu()
        if self._score is not None:
            score_B = self._score(rollout)
        reward_B = self._standardised(score_B, rollout.finished_B)
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
        return Judged(rollout, reward_B, log_p_BT, reference_log_p_BT, values_BT), figures

    def _standardised(self, score_B: Tensor, finished_B: Tensor) -> Tensor:
        """Rewards `[B]` in standard deviations of π_0's scores, cut-off responses less the penalty."""
        settings = self.settings
        if settings.truncation_score is not None:
            score_B[~finished_B] = settings.truncation_score
        if self.steps_done == 0:
            self.reward_mean, self.reward_std = float(score_B.mean()), max(float(score_B.std()), _LEAST_STD)
        return (score_B - self.reward_mean) / self.reward_std - settings.truncation_penalty * ~finished_B

    def values(self, reading: Reading) -> Tensor | None:
        """The critic's values `[N]` of the text before each real token; None without a critic."""
        del reading
        return None

    def _update(self, batch: Batch) -> Stats:
        """Some epochs of minibatches, drawn again in each; the figures are means over all of them."""
        settings, rng = self.settings, np.random.default_rng(self.seed(_MINIBATCHES, self.steps_done))
        rollout, figures = batch.judged.rollout, []
        for _ in range(settings.epochs):
            for rows in minibatches(rollout, settings.minibatches, rng):
                loss = self.loss(batch, self._current(rollout, rows))
                norms = self.learn(loss.total)
                figures.append({name: figure.item() for name, figure in loss.figures.items()})
                figures[-1]["gradient_norm"] = norms[0]
        return {name: float(np.mean([of_part[name] for of_part in figures])) for name in figures[0]}

    def _current(self, rollout: Rollout, rows: Tensor) -> Current:
        reading = rollout.reading(self.language_model, rows)
        output_ND = reading.through(self.policy.top)[reading.predicting_N]
        log_p_N = self.policy.log_probabilities(output_ND, rollout.tokens(rows), self.temperature)
        return Current(rows, reading, log_p_N, rollout.mask(rows))

    def loss(self, batch: Batch, current: Current) -> Loss:
        """The clipped surrogate of some rows."""
        old_log_p_N, advantage_N = (
            of_batch[current.rows][current.mask].to(current.log_p_N.device)
            for of_batch in (batch.judged.log_p_BT, batch.advantages_BT)
        )
        policy, clipped = policy_loss(current.log_p_N, old_log_p_N, advantage_N, self.settings.clip_range)
        log_ratio = (current.log_p_N - old_log_p_N).detach()
        moved = (torch.expm1(log_ratio) - log_ratio).mean()  # KL of the update, k3, nats
        return Loss(policy, {"policy_loss": policy, "clip_share": clipped, "update_kl": moved})
