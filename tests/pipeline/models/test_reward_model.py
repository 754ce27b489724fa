"""A score is a function of the text: however it is batched, shared, saved and loaded."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import ModelUnavailable
from pipeline.models.language_model import LanguageModel, load
from pipeline.models.reward_model import RewardModel, load_reward_model
from pipeline.models.trunk import Features, load_features, save_features, trunk_features
from tests.pipeline.models.tiny import random_reward_model, score_texts

TEXTS = [
    ("What is 2 + 3?", "5"),
    ("What is 2 + 3?", "It is six, I believe, since two and three make more than five."),
    ("Name a colour.", "Blue is a colour that many people like."),
    ("Name a colour.", ""),
]


def plain_scores(language_model: LanguageModel, reward_model: RewardModel) -> np.ndarray:
    """One text at a time through the whole model, no cache, no sharing: the reference."""
    scores = []
    for prompt, response in TEXTS:
        ids = torch.tensor([language_model.prompt_ids(prompt) + language_model.response_ids(response)])
        with torch.no_grad():
            hidden = language_model.base(input_ids=ids).last_hidden_state[0, -1]
            scores.append(reward_model.head(hidden.float()).item())
    return np.array(scores, dtype=np.float32)


@pytest.fixture(scope="module")
def exact(language_model: LanguageModel) -> LanguageModel:
    """The model in float32, in which two ways of computing the same differ by next to nothing."""
    return LanguageModel("exact", copy.deepcopy(language_model.model).float(), language_model.tokenizer)


def test_shared_prefixes_and_batches_change_nothing_but_rounding(exact: LanguageModel) -> None:
    reward_model = random_reward_model(exact, 0, seed=3)
    scores = score_texts(exact, reward_model, TEXTS)
    np.testing.assert_allclose(scores, plain_scores(exact, reward_model), atol=1e-3)


def test_one_pass_gives_the_features_of_every_depth_as_a_plain_forward_pass_does(exact: LanguageModel) -> None:
    features = trunk_features(exact, [2, 0, -1, 7], TEXTS)
    assert list(features) == [2, 0, -1, 7]
    for number, (prompt, response) in enumerate(TEXTS):
        ids = torch.tensor([exact.prompt_ids(prompt) + exact.response_ids(response)])
        with torch.no_grad():
            hidden = exact.base(input_ids=ids, output_hidden_states=True)
        for layers, of_depth in features.items():
            got = of_depth.values[of_depth.offsets[number] : of_depth.offsets[number + 1]]
            states = hidden.hidden_states[0 if layers == -1 else exact.layers - layers][0]
            wanted = hidden.last_hidden_state[0, -1:] if layers == 0 else states
            torch.testing.assert_close(got, wanted, atol=2e-3, rtol=1e-3)


def test_other_depths_beside_it_change_no_bit_of_a_depth(language_model: LanguageModel) -> None:
    together = trunk_features(language_model, [0, 1, 3, -1], TEXTS)
    for layers, features in together.items():
        alone = trunk_features(language_model, [layers], TEXTS)[layers]
        assert features.values.equal(alone.values)
        assert features.offsets.equal(alone.offsets)


@pytest.mark.parametrize("trainable_layers", [0, 1, 3, -1])
def test_an_untrained_model_scores_as_the_base_model_does(language_model: LanguageModel, trainable_layers: int) -> None:
    reward_model = random_reward_model(language_model, trainable_layers, seed=3)
    scores = score_texts(language_model, reward_model, TEXTS)
    # bfloat16 rounds the 30 blocks' outputs by two or three per cent of their norm, in whatever order they are computed
    np.testing.assert_allclose(scores, plain_scores(language_model, reward_model), atol=0.1)


@pytest.mark.parametrize("trainable_layers", [0, 2])
def test_a_saved_model_scores_the_same_when_loaded(
    language_model: LanguageModel, tmp_path: Path, trainable_layers: int
) -> None:
    reward_model = RewardModel(language_model, trainable_layers)
    with torch.no_grad():
        for parameter in reward_model.parameters():
            parameter.add_(0.01)
    reward_model.save(tmp_path)
    loaded = load_reward_model(tmp_path, language_model)
    assert loaded.trainable_layers == trainable_layers
    np.testing.assert_array_equal(
        score_texts(language_model, loaded, TEXTS), score_texts(language_model, reward_model, TEXTS)
    )


def test_a_reward_model_that_is_not_there_or_of_another_base_is_refused(
    language_model: LanguageModel, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnavailable, match="no reward model"):
        load_reward_model(tmp_path, language_model)
    RewardModel(language_model, 0).save(tmp_path)
    other = LanguageModel("another", language_model.model, language_model.tokenizer)
    with pytest.raises(ModelUnavailable, match="trained on"):
        load_reward_model(tmp_path, other)


def test_a_new_model_scores_every_text_zero(language_model: LanguageModel) -> None:
    for layers in (0, 1):
        assert not score_texts(language_model, RewardModel(language_model, layers), TEXTS).any()


def test_only_the_head_and_the_top_blocks_are_trained(language_model: LanguageModel) -> None:
    counts = {
        layers: sum(p.numel() for p in RewardModel(language_model, layers).parameters() if p.requires_grad)
        for layers in (0, 1, 2)
    }
    block = counts[2] - counts[1]
    assert counts[0] == language_model.hidden_size
    assert counts[1] == counts[0] + block + language_model.hidden_size  # the final norm
    assert not any(parameter.requires_grad for parameter in language_model.model.parameters())


def test_features_survive_the_disk_and_pad_as_they_should(language_model: LanguageModel, tmp_path: Path) -> None:
    features = trunk_features(language_model, [2], TEXTS)[2]
    for number in (0, 1):
        part = trunk_features(language_model, [0, 1, 2], TEXTS[2 * number : 2 * number + 2])
        save_features(part, tmp_path / f"{number}.safetensors")
    files = [tmp_path / "0.safetensors", tmp_path / "1.safetensors"]
    loaded = load_features(files, 2)
    assert load_features(files, 1).offsets.equal(loaded.offsets)
    assert load_features(files, 0).values.shape == (len(TEXTS), language_model.hidden_size)
    assert loaded.offsets.equal(features.offsets)
    hidden, lengths = loaded.padded(torch.tensor([3, 0]))
    assert lengths.tolist() == [loaded.lengths[3], loaded.lengths[0]]
    assert hidden[0, : lengths[0]].equal(loaded.values[loaded.offsets[3] : loaded.offsets[4]])
    assert not hidden[0, lengths[0] :].any()


def test_features_of_several_files_keep_their_texts(tmp_path: Path) -> None:
    first = Features(torch.ones(3, 2), torch.tensor([0, 1, 3]))
    second = Features(torch.full((2, 2), 2.0), torch.tensor([0, 2]))
    files = [tmp_path / "0.safetensors", tmp_path / "1.safetensors"]
    for features, path in zip((first, second), files, strict=True):
        save_features({1: features}, path)
    both = load_features(files, 1)
    assert both.offsets.tolist() == [0, 1, 3, 5]
    assert len(both) == 3


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="give a local Hugging Face folder"):
        load(str(tmp_path / "nothing"))


def test_any_local_folder_serves_as_policy_and_base(tmp_path: Path, language_model: LanguageModel) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=49152, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, eos_token_id=2, pad_token_id=2,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    language_model.tokenizer.save_pretrained(tmp_path)
    small = load(str(tmp_path))
    reward_model = random_reward_model(small, 1, seed=0)
    assert score_texts(small, reward_model, TEXTS).shape == (4,)
