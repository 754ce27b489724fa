"""PPO's formulas against hand-worked examples and autograd of the plain formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pipeline.models.optimizers.losses import (
    advantages,
    group_normalised,
    kl_of_tokens,
    leave_one_out,
    policy_loss,
    sampled_kl,
    token_rewards,
    value_loss,
    whitened,
)
from pipeline.models.performance.head import token_log_probabilities, with_entropies

MASK = torch.tensor([[True, True, True], [True, True, False]])


def test_the_score_is_given_at_the_last_token_and_the_penalty_at_every_one() -> None:
    log_p, reference = torch.tensor([[-1.0, -2.0, -3.0], [-1.0, -1.0, 9.0]]), torch.full((2, 3), -2.0)
    rewards = token_rewards(torch.tensor([5.0, 7.0]), log_p, reference, MASK, 0.1)
    expected = torch.tensor([[-0.1, 0.0, 5.0 + 0.1], [-0.1, 7.0 - 0.1, 0.0]])
    torch.testing.assert_close(rewards, expected)


def test_advantages_of_a_hand_worked_example() -> None:
    # γ = λ = 0.5. Row 0: δ = [0 + 0.5·2 − 1, 0 + 0.5·4 − 2, 8 − 4] = [0, 0, 4]; going back by 0.25, A = [0.25, 1, 4].
    # Row 1 ends after two tokens: δ = [1 + 0.5·2 − 2, 3 − 2] = [0, 1]; A = [0.25, 1].
    rewards = torch.tensor([[0.0, 0.0, 8.0], [1.0, 3.0, 0.0]])
    values = torch.tensor([[1.0, 2.0, 4.0], [2.0, 2.0, 99.0]])
    found, returns = advantages(rewards, values, MASK, discount=0.5, gae_lambda=0.5)
    torch.testing.assert_close(found, torch.tensor([[0.25, 1.0, 4.0], [0.25, 1.0, 0.0]]))
    torch.testing.assert_close(returns, torch.tensor([[1.25, 3.0, 8.0], [2.25, 3.0, 0.0]]))


def test_without_discount_and_with_lambda_one_returns_are_the_rewards_still_to_come() -> None:
    rewards, values = torch.randn(4, 6), torch.randn(4, 6)
    mask = torch.ones(4, 6, dtype=torch.bool)
    found, returns = advantages(rewards, values, mask, 1.0, 1.0)
    torch.testing.assert_close(returns, rewards.flip(1).cumsum(1).flip(1))
    torch.testing.assert_close(found, returns - values)


def test_whitened_advantages_have_mean_0_and_variance_1_over_real_tokens() -> None:
    values = torch.tensor([[1.0, 2.0, 6.0], [3.0, 8.0, 1000.0]])
    found = whitened(values, MASK)
    assert found[1, 2] == 0.0
    assert found[MASK].mean().item() == pytest.approx(0.0, abs=1e-6)
    assert found[MASK].var(unbiased=False).item() == pytest.approx(1.0, abs=1e-5)


def test_the_clipped_loss_and_its_gradient_are_those_of_the_plain_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    old = torch.randn(200, generator=generator)
    advantage = torch.randn(200, generator=generator)
    new = (old + 0.5 * torch.randn(200, generator=generator)).requires_grad_()
    loss, clipped = policy_loss(new, old, advantage, 0.2)
    loss.backward()

    def plain(log_p: float, old_log_p: float, a: float) -> tuple[float, float]:
        """Loss of one token and its slope by log π, case by case."""
        ratio = torch.tensor(log_p - old_log_p).exp().item()
        if (a >= 0 and ratio > 1.2) or (a < 0 and ratio < 0.8):
            return -(1.2 if a >= 0 else 0.8) * a, 0.0
        return -ratio * a, -ratio * a

    expected = [plain(*triple) for triple in zip(new.tolist(), old.tolist(), advantage.tolist(), strict=True)]
    assert loss.item() == pytest.approx(sum(value for value, _ in expected) / 200, abs=1e-6)
    assert new.grad is not None
    torch.testing.assert_close(new.grad, torch.tensor([slope / 200 for _, slope in expected]), atol=1e-6, rtol=1e-5)
    assert clipped.item() == pytest.approx(sum(slope == 0.0 for _, slope in expected) / 200)
    assert 0.1 < clipped.item() < 0.9


def test_value_loss_takes_the_greater_of_plain_and_clipped() -> None:
    old, returns = torch.zeros(3), torch.tensor([1.0, 0.1, -1.0])
    values = torch.tensor([0.9, 0.15, 0.5])  # clipped to 0.2, 0.15, 0.2
    expected = 0.5 * ((0.8**2) + 0.05**2 + max(1.5**2, 1.2**2)) / 3
    assert value_loss(values, old, returns, 0.2).item() == pytest.approx(expected, abs=1e-6)


def test_both_kl_estimators_agree_with_the_divergence_of_two_distributions() -> None:
    torch.manual_seed(0)
    p, q = torch.softmax(torch.randn(20), 0), torch.softmax(torch.randn(20), 0)
    exact = (p * (p / q).log()).sum().item()
    drawn = torch.multinomial(p, 400_000, replacement=True).reshape(-1, 1)
    k1, k3 = sampled_kl(p.log()[drawn], q.log()[drawn], torch.ones_like(drawn, dtype=torch.bool))
    assert k1.mean().item() == pytest.approx(exact, abs=5 * k1.std().item() / 632)
    assert k3.mean().item() == pytest.approx(exact, abs=5 * k3.std().item() / 632)
    assert (k3 >= 0).all()
    assert (k1 < 0).any()


def test_log_probabilities_and_their_gradient_are_those_of_a_categorical_distribution() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(1100, 16).requires_grad_()  # more than two chunks
    weight, tokens, gradient = torch.randn(300, 16), torch.randint(0, 300, (1100,)), torch.randn(1100)

    def slope(log_p: Tensor) -> Tensor:
        (found,) = torch.autograd.grad((log_p * gradient).sum(), hidden)
        return found

    reference = torch.distributions.Categorical(logits=hidden @ weight.T / 0.7)
    ours = token_log_probabilities(hidden, weight, tokens, 0.7)
    torch.testing.assert_close(ours, reference.log_prob(tokens), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(slope(ours), slope(reference.log_prob(tokens)), atol=1e-4, rtol=1e-4)
    again, entropy = with_entropies(hidden, weight, tokens, 0.7)
    torch.testing.assert_close(again, ours.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(entropy, reference.entropy().detach(), atol=1e-4, rtol=1e-4)


def test_leave_one_out_compares_a_response_with_the_others_to_its_prompt() -> None:
    reward = torch.tensor([1.0, 5.0, 2.0, 3.0, 7.0])
    group = torch.tensor([4, 0, 4, 4, 9])
    torch.testing.assert_close(leave_one_out(reward, group), torch.tensor([-1.5, 0.0, 0.0, 1.5, 0.0]))


def test_group_normalised_rewards_are_standard_and_equal_ones_are_zero() -> None:
    reward = torch.tensor([1.0, 2.0, 3.0, 8.0, 8.0])
    group = torch.tensor([0, 0, 0, 1, 1])
    torch.testing.assert_close(group_normalised(reward, group), torch.tensor([-1.0, 0.0, 1.0, 0.0, 0.0]))


def test_kl_of_tokens_is_k3_with_the_gradient_of_kl() -> None:
    logits = torch.tensor([0.3, -0.2, 0.9], requires_grad=True)
    reference = torch.log_softmax(torch.tensor([0.1, 0.4, -0.3]), 0)
    log_p = torch.log_softmax(logits, 0)
    expected = (log_p.exp() * (log_p - reference)).sum()
    estimate = (log_p.exp().detach() * kl_of_tokens(log_p, reference)).sum()
    torch.testing.assert_close(estimate, expected)
    assert (kl_of_tokens(log_p, reference) >= 0).all()
