"""The formulas of PPO, RLOO and GRPO, as functions of tensors `[B, T]`: responses × tokens.

PPO: Schulman et al. 2017 (arXiv 1707.06347), GAE: arXiv 1506.02438; which variant of each detail: Huang et al., *The 37
Implementation Details of PPO* (2022) and *The N+ Implementation Details of RLHF with PPO* (arXiv 2403.17031). RLOO:
Ahmadian et al. 2024 (arXiv 2402.14740). GRPO: Shao et al. 2024 (arXiv 2402.03300).
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

_LEAST_STD = 1e-4


def token_rewards(
    score_B: Tensor, log_p_BT: Tensor, reference_log_p_BT: Tensor, mask_BT: Tensor, kl_coefficient: float
) -> Tensor:
    """Reward of each token `[B, T]`: the penalty −c·(log π − log π_0), and at the last also the score."""
    rewards_BT = -kl_coefficient * (log_p_BT - reference_log_p_BT) * mask_BT
    last_B = mask_BT.sum(dim=1) - 1
    rewards_BT[torch.arange(len(score_B), device=score_B.device), last_B] += score_B
    return rewards_BT


def advantages(
    rewards_BT: Tensor, values_BT: Tensor, mask_BT: Tensor, discount: float, gae_lambda: float
) -> tuple[Tensor, Tensor]:
    """Generalised advantages and returns, `[B, T]` each, 0 outside the mask.

    δ_t = r_t + γ V_{t+1} − V_t, A_t = δ_t + γλ A_{t+1}, R_t = A_t + V_t; after the last token V and A are 0.
    """
    values_BT = values_BT * mask_BT
    advantages_BT = torch.zeros_like(values_BT)
    following = torch.zeros_like(values_BT[:, 0])
    for t in range(values_BT.shape[1] - 1, -1, -1):
        after = values_BT[:, t + 1] if t + 1 < values_BT.shape[1] else 0.0
        delta = rewards_BT[:, t] + discount * after - values_BT[:, t]
        following = (delta + discount * gae_lambda * following) * mask_BT[:, t]
        advantages_BT[:, t] = following
    return advantages_BT, advantages_BT + values_BT


def whitened(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """The values scaled to mean 0 and variance 1 over the real tokens of the batch, `[B, T]`; 0 elsewhere."""
    real_N = values_BT[mask_BT]
    scaled: Tensor = (values_BT - real_N.mean()) / (real_N.std(unbiased=False) + 1e-8)
    return scaled * mask_BT


def policy_loss(log_p: Tensor, old_log_p: Tensor, advantage: Tensor, clip_range: float) -> tuple[Tensor, Tensor]:
    """Clipped surrogate, the mean over tokens of −min(ρA, clip(ρ, 1 ± ε)A), and the share of tokens that it clips.

    All arguments are of real tokens, `[N]`; ρ = π/π_old.
    """
    ratio = (log_p - old_log_p).exp()
    plain, clipped = ratio * advantage, ratio.clamp(1.0 - clip_range, 1.0 + clip_range) * advantage
    return -torch.minimum(plain, clipped).mean(), (clipped < plain).float().mean()


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip_range: float) -> Tensor:
    """Half the mean over tokens of the greater of (V − R)² and (clip(V, V_old ± ε) − R)²; arguments `[N]`."""
    clipped = old_values + (values - old_values).clamp(-clip_range, clip_range)
    return 0.5 * torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()


def leave_one_out(reward_B: Tensor, group_B: Tensor) -> Tensor:
    """Each response's reward less the mean reward of the others to its prompt, `[B]`; 0 for a single response.

    `group_B`: the number of each response's prompt.
    """
    group = _Group.of(reward_B, group_B)
    return (reward_B - group.mean_B) * group.count_B / (group.count_B - 1).clamp(min=1)


def group_normalised(reward_B: Tensor, group_B: Tensor) -> Tensor:
    """Each response's reward less the mean of its prompt's responses, by their standard deviation, `[B]`.

    Where all responses of a prompt have one reward, 0.
    """
    group = _Group.of(reward_B, group_B)
    standard_B = (reward_B - group.mean_B) / group.std_B.clamp(min=_LEAST_STD)
    return torch.where(group.std_B > _LEAST_STD, standard_B, 0.0)


class _Group(NamedTuple):
    """Number of responses, mean and standard deviation of each response's group, `[B]` each."""

    count_B: Tensor
    mean_B: Tensor
    std_B: Tensor

    @classmethod
    def of(cls, reward_B: Tensor, group_B: Tensor) -> Self:
        _, place_B, count_G = torch.unique(group_B, return_inverse=True, return_counts=True)
        mean_G = torch.zeros(len(count_G)).index_add_(0, place_B, reward_B) / count_G
        squares_G = torch.zeros(len(count_G)).index_add_(0, place_B, (reward_B - mean_G[place_B]) ** 2)
        std_G = (squares_G / (count_G - 1).clamp(min=1)).sqrt()
        return cls(count_G[place_B], mean_G[place_B], std_G[place_B])


def kl_of_tokens(log_p: Tensor, reference_log_p: Tensor) -> Tensor:
    """k3 of each token, π_0/π − 1 + log π/π_0, nats `[N]`: an unbiased, differentiable estimate of KL(π‖π_0)."""
    log_ratio = reference_log_p - log_p
    return torch.expm1(log_ratio) - log_ratio


def sampled_kl(log_p_BT: Tensor, reference_log_p_BT: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
    """KL(π‖π_0) of whole responses sampled from π, nats, by two estimates per response, `[B]` each.

    k1 = Σ log π/π_0, which may be below 0, and k3 = Σ (π_0/π − 1 + log π/π_0), which may not and scatters less; both
    are unbiased (Schulman, *Approximating KL divergence*, 2020).
    """
    log_ratio_BT = (log_p_BT - reference_log_p_BT) * mask_BT
    return log_ratio_BT.sum(dim=1), (torch.expm1(-log_ratio_BT) + log_ratio_BT).sum(dim=1)
