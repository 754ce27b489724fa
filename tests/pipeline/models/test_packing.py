"""Packed texts are read as padded ones are, by every decoder that can, and padded by the others."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModel, GPT2Config, LlamaConfig, MambaConfig, PretrainedConfig, Qwen2Config, Qwen3Config

from pipeline.models.language_model import LanguageModel
from pipeline.models.performance.kv_cache import ATTENTION
from pipeline.models.performance.packing import TextBatch, packs

TEXTS = ([[5, 9, 12, 7], [3, 4, 6, 8, 10, 11]], [[2, 13], [14, 3, 15, 6, 2], [9, 4, 4]], [1, 0, 1])
_SIZES = {
    "vocab_size": 32,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 8,
}


def decoder(config: PretrainedConfig) -> torch.nn.Module:
    torch.manual_seed(0)
    implementation = {} if isinstance(config, MambaConfig) else {"attn_implementation": ATTENTION}
    model = AutoModel.from_config(config, **implementation)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)  # so that which token is seen matters
    return model.eval()


@pytest.mark.parametrize(
    "config",
    [
        LlamaConfig(**_SIZES),
        Qwen2Config(**_SIZES),
        Qwen3Config(**_SIZES),
        GPT2Config(vocab_size=32, n_positions=32, n_embd=48, n_layer=3, n_head=6),
    ],
    ids=lambda config: config.model_type,
)
def test_packed_texts_give_what_padded_ones_give(config: PretrainedConfig) -> None:
    model = decoder(config)
    like = model.get_input_embeddings().weight
    outputs = []
    for make in (TextBatch.padded, TextBatch.packed):
        batch = make(*TEXTS, like)
        with torch.no_grad():
            outputs.append(model(**batch.inputs).last_hidden_state.flatten(0, 1)[batch.index])
    torch.testing.assert_close(outputs[1], outputs[0], atol=1e-4, rtol=1e-3)
    assert packs(model, *TEXTS)


@pytest.mark.parametrize(
    "config",
    [MambaConfig(vocab_size=32, hidden_size=48, num_hidden_layers=2, state_size=8)],
    ids=lambda config: config.model_type,
)
def test_a_decoder_that_sees_tokens_otherwise_is_found_out(config: PretrainedConfig) -> None:
    assert not packs(decoder(config), *TEXTS)


def test_the_embedded_model_reads_packed_and_every_token_once(language_model: LanguageModel) -> None:
    prompts, responses, rows = [[900, 400, 70], [500]], [[600, 700], [800], [30]], [0, 0, 1]
    batch = language_model.text_batch(prompts, responses, rows)
    assert batch.inputs["input_ids"].shape == (1, 8)
    assert batch.offsets.tolist() == [0, 5, 9, 11]
    assert batch.inputs["input_ids"][0, batch.index].tolist() == [900, 400, 70, 600, 700, 900, 400, 70, 800, 500, 30]
