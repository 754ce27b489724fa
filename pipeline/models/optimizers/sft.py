"""SFT on the best of n: the policy imitates what a reward model prefers among stored responses of π_0.

The pool, some responses of π_0 to every training prompt, is sampled and scored once for all reward models, so that one
policy more costs seconds. A step is an epoch of cross-entropy over the best response to each prompt (best-of-n
distillation; Stiennon et al. 2020 call its target rejection sampling). It approximates best-of-n's own policy, whose KL
is log n − (n − 1)/n, as far as the trained blocks can distinguish responses: docs/log.md says how far.

1. Only the top blocks are trained; the trunk reads the chosen responses once.
2. A cut-off response counts `truncation_penalty` standard deviations less when the best is chosen; if it is the best
   all the same, it has no end token to imitate.
3. There is no KL penalty and no `kl_limit`: the number of epochs bounds how far the policy goes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.models.optimizers.trained_policy import Stats, TrainedPolicy, minibatches
from pipeline.models.rollout import Rollout

_EPOCH = 0
"""The purpose of its seeds."""


class SFT(TrainedPolicy):
    """A policy that learns from the best responses of a pool."""

    takes_pool = True

    def step(self, prompts: Sequence[str], rollout: Rollout | None = None) -> Stats:
        """One epoch over the chosen responses, one to a prompt."""
        if rollout is None:
            raise ValueError(
                f"SFT learns from stored responses to its {len(prompts)} prompts; give them as the rollout"
            )
        settings, rng = self.settings, np.random.default_rng(self.seed(_EPOCH, self.steps_done))
        losses, norms = [], []
        for rows in minibatches(rollout, min(settings.minibatches, len(rollout)), rng):
            reading = rollout.reading(self.language_model, rows)
            output_ND = reading.through(self.policy.top)[reading.predicting_N]
            loss = -self.policy.log_probabilities(output_ND, rollout.tokens(rows), self.temperature).mean()
            norms.append(self.learn(loss)[0])
            losses.append(loss.item())
        figures = {"sft_loss": float(np.mean(losses)), "gradient_norm": float(np.mean(norms))}
        self.check(figures)
        self.steps_done += 1
        return figures
