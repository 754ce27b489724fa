"""Packed weights multiply as the plain ones do, and where there is no such product nothing is changed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.config import EMBEDDED_MODEL
from pipeline.models.language_model import LanguageModel, load
from pipeline.models.performance.packed_weights import PackedLinear, has_bfloat16_products, packed


def layers(dtype: torch.dtype) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(96, 160), nn.SiLU(), nn.Linear(160, 64, bias=False)).to(dtype).requires_grad_(False)


@pytest.mark.skipif(not has_bfloat16_products(), reason="oneDNN has no bfloat16 products here")
@pytest.mark.parametrize("rows", [1, 7, 192])
def test_products_are_the_plain_ones(rows: int) -> None:
    plain = layers(torch.bfloat16)
    ours = packed(plain)
    assert [type(layer) for layer in ours] == [PackedLinear, nn.SiLU, PackedLinear]
    inputs = torch.randn(rows, 3, 96, generator=torch.Generator().manual_seed(1)).bfloat16()
    torch.testing.assert_close(ours(inputs), plain(inputs), atol=1e-2, rtol=1e-2)


def test_the_original_stays_as_it_was() -> None:
    plain = layers(torch.bfloat16)
    packed(plain)
    assert [type(layer) for layer in plain] == [nn.Linear, nn.SiLU, nn.Linear]


def test_float32_stays_plain() -> None:
    plain = layers(torch.float32)
    assert packed(plain) is plain


@torch.no_grad()
def test_a_decoder_reads_with_packed_weights_what_it_reads_with_plain_ones(language_model: LanguageModel) -> None:
    tokens = torch.tensor([language_model.prompt_ids("What is the capital of France?")])
    ours, theirs = (
        base(input_ids=tokens).last_hidden_state for base in (language_model.frozen_base, language_model.base)
    )
    assert (ours - theirs).float().norm() < 0.02 * theirs.float().norm()


def test_the_model_is_read_in_bfloat16_where_the_processor_multiplies_in_it_and_else_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = torch.bfloat16 if has_bfloat16_products() else torch.float32
    assert load(EMBEDDED_MODEL).base.embed_tokens.weight.dtype == own
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert load(EMBEDDED_MODEL).base.embed_tokens.weight.dtype == torch.float32
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    assert load(EMBEDDED_MODEL).base.embed_tokens.weight.dtype == torch.bfloat16
    assert load(EMBEDDED_MODEL, dtype=torch.float32).base.embed_tokens.weight.dtype == torch.float32
