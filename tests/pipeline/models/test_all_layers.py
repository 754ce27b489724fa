"""Training end to end is training on cached features, in parts it is the whole batch, and all layers learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.config import RewardModelSettings
from pipeline.models.language_model import LanguageModel
from pipeline.models.reward_model import RewardModel
from pipeline.models.training import Point, pair_loss, train
from pipeline.models.trunk import Features, Tokens, trunk_features
from tests.pipeline.models.tiny import random_reward_model, tiny_model, tiny_task

SETTINGS = RewardModelSettings(trainable_layers=-1, epochs=2, batch_pairs=8, learning_rate=3e-3)
TEXTS, PAIRS = tiny_task(40)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


def trained(
    tiny: LanguageModel, layers: int, features: Features | Tokens, **changed: Any
) -> tuple[RewardModel, Sequence[Point]]:
    """Trained from a random head: from one at 0, Adam scales the blocks' first gradients up, and their rounding too."""
    reward_model = random_reward_model(tiny, layers, seed=3)
    settings = SETTINGS.model_copy(update=changed)
    return reward_model, train(reward_model, features, PAIRS[:30], PAIRS[30:], settings, seed=3)


def tokens(tiny: LanguageModel, layers: int = -1) -> Tokens:
    return Tokens(tiny, layers, TEXTS, at_once=6)


def same_weights(one: RewardModel, other: RewardModel, atol: float) -> None:
    for name, weight in one.state_dict().items():
        torch.testing.assert_close(weight, other.state_dict()[name], atol=atol, rtol=1e-4)


def same_curve(one: Sequence[Point], other: Sequence[Point], rel: float) -> None:
    assert [(point.metric, point.step) for point in one] == [(point.metric, point.step) for point in other]
    np.testing.assert_allclose([point.value for point in one], [point.value for point in other], rtol=rel)


@pytest.mark.parametrize("layers", [0, 1, 2, -1])
def test_end_to_end_gives_the_curve_and_weights_that_cached_features_give(tiny: LanguageModel, layers: int) -> None:
    cached, cached_curve = trained(tiny, layers, trunk_features(tiny, [layers], TEXTS)[layers])
    live, curve = trained(tiny, layers, tokens(tiny, layers))
    same_curve(curve, cached_curve, 1e-4)
    same_weights(live, cached, 1e-5)
    assert not random_reward_model(tiny, layers, seed=3).head.weight.equal(live.head.weight)


def test_a_step_in_four_parts_is_the_step_of_the_whole_batch(tiny: LanguageModel) -> None:
    whole, whole_curve = trained(tiny, -1, tokens(tiny))
    parts, curve = trained(tiny, -1, tokens(tiny), gradient_accumulation=4)
    same_curve(curve, whole_curve, 1e-4)
    same_weights(parts, whole, 1e-5)


def test_parts_of_unlike_sizes_weigh_what_they_hold(tiny: LanguageModel) -> None:
    whole, whole_curve = trained(tiny, -1, tokens(tiny), batch_pairs=10)
    parts, curve = trained(tiny, -1, tokens(tiny), batch_pairs=10, gradient_accumulation=3)
    same_curve(curve, whole_curve, 1e-4)
    same_weights(parts, whole, 1e-5)


def test_checkpointing_gives_the_same_gradients_and_computes_blocks_again(tiny: LanguageModel) -> None:
    found, passes = [], []
    for checkpointing in (False, True):
        reward_model = random_reward_model(tiny, -1, seed=3).train()
        if checkpointing:
            reward_model.checkpoint_gradients()
        seen: list[None] = []
        reward_model.top.layers[1].mlp.register_forward_pre_hook(lambda *_, seen=seen: seen.append(None))
        chosen, rejected = reward_model(tokens(tiny), torch.arange(8)).chunk(2)
        pair_loss(chosen, rejected, 0.01).backward()
        found.append({name: parameter.grad for name, parameter in reward_model.named_parameters()})
        passes.append(len(seen))
    assert passes == [1, 2]
    plain, checkpointed = found
    for name, gradient in plain.items():
        torch.testing.assert_close(gradient, checkpointed[name], atol=1e-7, rtol=1e-5)
        assert gradient is not None
        assert gradient.any()


def test_checkpointing_changes_nothing_that_is_learnt(tiny: LanguageModel) -> None:
    whole, whole_curve = trained(tiny, -1, tokens(tiny))
    parts, curve = trained(tiny, -1, tokens(tiny), gradient_checkpointing=True)
    same_curve(curve, whole_curve, 1e-4)
    same_weights(parts, whole, 1e-5)


def test_all_layers_learn(tiny: LanguageModel) -> None:
    reward_model = RewardModel(tiny, -1)
    settings = SETTINGS.model_copy(update={"epochs": 6})
    curve = train(reward_model, tokens(tiny), PAIRS[:30], PAIRS[30:], settings, seed=3)
    accuracies = [point.value for point in curve if point.metric == "validation_accuracy"]
    assert accuracies[0] == 0.5  # all scores are 0, and a tie counts half
    assert accuracies[-1] >= 0.9
    before = RewardModel(tiny, -1).state_dict()
    unchanged = [name for name, weight in reward_model.state_dict().items() if weight.equal(before[name])]
    assert unchanged == []
    assert len(reward_model.top.layers) == tiny.layers
