"""RLOO, GRPO and SFT: the same loop as PPO with another advantage, and what each does.

What would be so of any policy is shown on one of two layers (`tiny`), the rest on the real small model.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipeline.config import Algorithm, PPOSettings
from pipeline.models.language_model import LanguageModel
from pipeline.models.optimizers import OPTIMIZERS
from pipeline.models.optimizers.on_policy import OnPolicy
from pipeline.models.optimizers.trained_policy import TrainedPolicy
from pipeline.models.reward_model import RewardModel
from pipeline.models.rollout import Rollout, rollout_of_texts
from pipeline.prompts import load_prompts

PROMPTS = [
    f"{prompt} Answer in one short sentence."
    for prompt in load_prompts().filter(split="rm_train")["text"].to_list()[::29][:8]
]
SETTINGS = PPOSettings(
    algorithms=("rloo",),
    steps=2,
    checkpoints=(2,),
    batch_responses=16,
    samples_per_prompt=4,
    epochs=1,
    minibatches=1,
    trainable_layers=1,
    actor_learning_rate=5e-4,
)
ON_POLICY: tuple[Algorithm, ...] = ("ppo", "rloo", "grpo")


def made(
    language_model: LanguageModel, algorithm: Algorithm, settings: PPOSettings = SETTINGS, kl_coefficient: float = 0.0
) -> TrainedPolicy:
    return OPTIMIZERS[algorithm](
        language_model,
        RewardModel(language_model, 0),
        settings,
        kl_coefficient=kl_coefficient,
        temperature=0.7,
        max_new_tokens=20,
        seed=5,
        score=share_of_e,
    )


def share_of_e(rollout: Rollout) -> torch.Tensor:
    return torch.tensor([text.lower().count("e") / max(1, len(text)) for text in rollout.texts])


def four_each(prompts: list[str]) -> list[str]:
    return [prompt for prompt in prompts for _ in range(4)]


@pytest.mark.parametrize("algorithm", ON_POLICY)
def test_a_step_moves_the_policy_and_its_figures_are_of_the_policy_before_it(
    tiny: LanguageModel, algorithm: Algorithm
) -> None:
    policy = made(tiny, algorithm)
    first = policy.step(four_each(PROMPTS[:4]))
    assert first["kl_k3"] == 0.0
    assert {"reward", "finished_share", "response_tokens", "entropy", "policy_loss", "gradient_norm"} <= set(first)
    second = policy.step(four_each(PROMPTS[4:]))
    assert second["kl_k3"] > 0.0
    assert policy.steps_done == 2


@pytest.mark.parametrize("algorithm", ON_POLICY)
def test_a_step_made_again_from_a_state_is_the_same(tiny: LanguageModel, algorithm: Algorithm) -> None:
    policy = made(tiny, algorithm, kl_coefficient=0.1)
    policy.step(four_each(PROMPTS[:4]))
    state = policy.state()
    expected = policy.step(four_each(PROMPTS[4:]))
    again = made(tiny, algorithm, kl_coefficient=0.1)
    again.restore(state)
    assert again.step(four_each(PROMPTS[4:])) == expected


def test_without_a_critic_a_state_has_none(tiny: LanguageModel) -> None:
    critics = {name: any(key.startswith("critic.") for key in made(tiny, name).state()) for name in OPTIMIZERS}
    assert critics == {"ppo": True, "rloo": False, "grpo": False, "sft": False}


def test_rloo_and_grpo_learn_nothing_where_all_responses_to_a_prompt_are_worth_the_same(
    tiny: LanguageModel,
) -> None:
    for algorithm in ("rloo", "grpo"):
        policy = made(tiny, algorithm)
        assert isinstance(policy, OnPolicy)
        policy._score = lambda rollout: rollout.prompts_B.float()
        judged, _ = policy._judged(policy.sample(four_each(PROMPTS[:4]), seed=0))
        assert policy.batch(judged).advantages_BT.abs().max() < 1e-5, algorithm


def test_a_cut_off_response_is_worth_less_by_the_penalty(language_model: LanguageModel) -> None:
    rewards = []
    for penalty in (0.0, 1.5):
        policy = made(language_model, "rloo", SETTINGS.model_copy(update={"truncation_penalty": penalty}))
        assert isinstance(policy, OnPolicy)
        rollout = policy.sample(four_each(PROMPTS[:4]), seed=1)
        rewards.append(policy._judged(rollout)[0].reward_B)
    assert 0 < int(rollout.finished_B.sum()) < len(rollout)
    torch.testing.assert_close(rewards[0] - rewards[1], 1.5 * (~rollout.finished_B).float())


def test_rloo_takes_the_kl_penalty_off_the_reward_and_grpo_adds_it_to_the_loss(tiny: LanguageModel) -> None:
    for algorithm, in_loss in (("rloo", False), ("grpo", True)):
        policy = made(tiny, algorithm, kl_coefficient=0.5)
        figures = [policy.step(four_each(PROMPTS[:4])) for _ in range(2)]
        assert ("kl_loss" in figures[1]) == in_loss, algorithm


def test_sft_makes_the_chosen_responses_likelier_and_keeps_the_rest_of_the_model(
    language_model: LanguageModel, tmp_path: Path
) -> None:
    policy = made(language_model, "sft", SETTINGS.model_copy(update={"minibatches": 2}))
    chosen = rollout_of_texts(
        language_model, policy.layers, [(prompt, "Bananas are yellow.") for prompt in PROMPTS], [True] * len(PROMPTS)
    )
    losses = [policy.step(PROMPTS, chosen)["sft_loss"] for _ in range(4)]
    assert losses[3] < losses[0] - 0.5
    policy.save_policy(tmp_path / "policy.safetensors")
    assert load_file(tmp_path / "policy.safetensors")
    with pytest.raises(ValueError, match="give them as the rollout"):
        policy.step(PROMPTS)


def test_stored_responses_are_read_as_sampled_ones_are(language_model: LanguageModel) -> None:
    policy = made(language_model, "sft")
    sampled = policy.sample(PROMPTS, seed=3)
    same = torch.tensor(sampled.is_of_text(language_model))
    texts = list(zip(PROMPTS, sampled.texts, strict=True))
    stored = rollout_of_texts(language_model, policy.layers, texts, sampled.finished_B.tolist())
    assert same.sum() >= 4
    assert torch.equal(stored.lengths_B[same], sampled.lengths_B[same])
    for row in same.nonzero()[:, 0].tolist():
        rows = torch.tensor([row])
        assert torch.equal(stored.tokens(rows), sampled.tokens(rows))
        ours, theirs = (
            rollout.reading(language_model, rows).through(policy.reference.top) for rollout in (stored, sampled)
        )
        assert (ours - theirs).norm() < 0.05 * theirs.norm()  # bfloat16, another batch
