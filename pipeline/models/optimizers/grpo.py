"""GRPO: a response's advantage is its reward, standardised among the responses to its prompt (arXiv 2402.03300).

The KL penalty is a term of the loss, c·k3 of every token, not of the reward; there is no critic. Departures, beside
those of `on_policy`:

1. The loss is a mean over the batch's tokens, not first over each response's: otherwise a token of a long response
   would count for less than one of a short response (Liu et al. 2025, arXiv 2503.20783).
"""

from __future__ import annotations

from pipeline.models.optimizers.losses import group_normalised, kl_of_tokens
from pipeline.models.optimizers.on_policy import Batch, Current, Judged, Loss, OnPolicy


class GRPO(OnPolicy):
    """A policy without a critic."""

    def batch(self, judged: Judged) -> Batch:
        advantage_B = group_normalised(judged.reward_B, judged.rollout.prompts_B)
        return Batch(judged, advantage_B[:, None] * judged.rollout.mask())

    def loss(self, batch: Batch, current: Current) -> Loss:
        policy, figures = super().loss(batch, current)
        if self.kl_coefficient == 0:
            return Loss(policy, figures)
        reference_log_p_N = batch.judged.reference_log_p_BT[current.rows][current.mask].to(current.log_p_N.device)
        kl = kl_of_tokens(current.log_p_N, reference_log_p_N).mean()
        return Loss(policy + self.kl_coefficient * kl, figures | {"kl_loss": kl})
