"""Decoders of other families serve as base: cut in two anywhere they score as they do whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from pipeline.errors import ModelUnavailable
from pipeline.models.language_model import LanguageModel, load
from pipeline.models.reward_model import RewardModel
from pipeline.models.trunk import Tokens
from tests.pipeline.models.tiny import random_reward_model, score_texts

TEXTS = [
    ("What is 2 + 3?", "5"),
    ("What is 2 + 3?", "It is six, I believe, since two and three make more than five. " * 3),
    ("Name a colour.", "Blue is a colour that many people like."),
    ("Name a colour.", ""),
]
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SLIDING = {"sliding_window": 16}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": SLIDING,
    "qwen2": {},
    "qwen3": {},
    "gemma2": {**SLIDING, "query_pre_attn_scalar": 8},
    "gemma3_text": {**SLIDING, "query_pre_attn_scalar": 8},
    "phi3": {},
    "olmo2": {},
}


def saved(family: str, folder: Path, tokenizer: Any, **more: Any) -> Path:
    """A tiny model of a family with random weights and the embedded model's tokenizer."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, vocab_size=len(tokenizer), **{**SIZES, **more})
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@torch.no_grad()
def plain_scores(base: LanguageModel, reward_model: RewardModel) -> np.ndarray:
    scores = []
    for prompt, response in TEXTS:
        ids = torch.tensor([base.prompt_ids(prompt) + base.response_ids(response)])
        scores.append(reward_model.head(base.base(input_ids=ids).last_hidden_state[0, -1]).item())
    return np.array(scores, dtype=np.float32)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_decoder_cut_in_two_scores_as_it_does_whole(
    family: str, language_model: LanguageModel, tmp_path: Path
) -> None:
    folder = saved(family, tmp_path, language_model.tokenizer, **FAMILIES[family])
    base = load(str(folder), dtype=torch.float32, device="cpu")
    for layers in (0, 1, 3, -1):
        reward_model = random_reward_model(base, layers, seed=1)
        wanted = plain_scores(base, reward_model)
        assert np.ptp(wanted) > 0.01
        np.testing.assert_allclose(score_texts(base, reward_model, TEXTS), wanted, atol=2e-4, err_msg=str(layers))
        with torch.no_grad():
            live = reward_model(Tokens(base, layers, TEXTS, 4), torch.arange(len(TEXTS)))
        np.testing.assert_allclose(live, wanted, atol=2e-4, err_msg=str(layers))


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox"])
def test_a_decoder_that_is_laid_out_otherwise_is_refused_by_name(
    family: str, language_model: LanguageModel, tmp_path: Path
) -> None:
    folder = saved(family, tmp_path, language_model.tokenizer)
    with pytest.raises(ModelUnavailable, match=f"a {family} model"):
        load(str(folder))
