"""RLOO: REINFORCE whose baseline is the mean reward of a prompt's other responses (arXiv 2402.14740).

The whole response is one action. Its reward is the score less the KL penalty c·(log π − log π_0), its advantage the
reward less that of the other responses to its prompt; there is no critic. Departures, beside those of `on_policy`:

1. The ratio is clipped token by token, as in PPO; with one epoch of one minibatch it is 1 and the update is
   REINFORCE's.
2. The loss is a mean over tokens: the sum over a response's tokens, but for a factor that all responses share.
"""

from __future__ import annotations

from pipeline.models.optimizers.losses import leave_one_out, sampled_kl
from pipeline.models.optimizers.on_policy import Batch, Judged, OnPolicy


class RLOO(OnPolicy):
    """A policy without a critic."""

    def batch(self, judged: Judged) -> Batch:
        mask_BT = judged.rollout.mask()
        k1_B, _ = sampled_kl(judged.log_p_BT, judged.reference_log_p_BT, mask_BT)
        advantage_B = leave_one_out(judged.reward_B - self.kl_coefficient * k1_B, judged.rollout.prompts_B)
        return Batch(judged, advantage_B[:, None] * mask_BT)
