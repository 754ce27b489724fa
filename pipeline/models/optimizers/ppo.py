"""PPO with a critic, token by token (Schulman et al. 2017, arXiv 1707.06347), as in RLHF (Ouyang et al. 2022).

The reward of a token is the KL penalty −c·(log π − log π_0), and at the last one also the response's score. Advantages
are generalised ones, whitened over the batch. Departures, beside those of `on_policy`:

1. The critic is trained on all blocks above the trunk that policy and reward model share; its head starts at 0.
2. Gradients of policy and critic are clipped by themselves.
"""

from __future__ import annotations

from torch import Tensor

from pipeline.models.optimizers.losses import advantages, token_rewards, value_loss, whitened
from pipeline.models.optimizers.on_policy import Batch, Current, Judged, Loss, OnPolicy
from pipeline.models.optimizers.trained_policy import Learner
from pipeline.models.policy import Critic
from pipeline.models.reward_model import RewardModel
from pipeline.models.trunk import Reading


class PPO(OnPolicy):
    """A policy and its critic."""

    def learners(self, reward_model: RewardModel) -> dict[str, Learner]:
        self.critic = Critic(self.language_model, self.layers, reward_model)
        return super().learners(reward_model) | {"critic": Learner(self.critic, self.settings.critic_learning_rate)}

    def values(self, reading: Reading) -> Tensor:
        return self.critic.values(reading)

    def batch(self, judged: Judged) -> Batch:
        settings, mask_BT = self.settings, judged.rollout.mask()
        rewards_BT = token_rewards(
            judged.reward_B, judged.log_p_BT, judged.reference_log_p_BT, mask_BT, self.kl_coefficient
        )
        advantages_BT, returns_BT = advantages(
            rewards_BT, judged.values_BT, mask_BT, settings.discount, settings.gae_lambda
        )
        return Batch(judged, whitened(advantages_BT, mask_BT), returns_BT)

    def loss(self, batch: Batch, current: Current) -> Loss:
        policy, figures = super().loss(batch, current)
        assert batch.returns_BT is not None
        values_N = self.critic.values(current.reading)
        old_values_N, returns_N = (
            of_batch[current.rows][current.mask].to(values_N.device)
            for of_batch in (batch.judged.values_BT, batch.returns_BT)
        )
        value = value_loss(values_N, old_values_N, returns_N, self.settings.value_clip_range)
        return Loss(policy + self.settings.value_coefficient * value, figures | {"value_loss": value})
