"""Attention over the preallocated cache is transformers' own, whatever of the cache is written and seen."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from pipeline.models.performance.kv_cache import ATTENTION, run_prefix

PROMPTS = [[5, 6, 7, 8, 9], [11, 12], [21, 22, 23, 24]]


def tiny(heads: int, key_heads: int, attention: str) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        attn_implementation=attention,
    )
    return LlamaForCausalLM(config).eval()


@pytest.mark.parametrize(("heads", "key_heads"), [(4, 4), (4, 2), (4, 1)])
@torch.no_grad()
def test_tokens_one_by_one_are_read_as_a_whole_text_is(heads: int, key_heads: int) -> None:
    rows, generator = torch.tensor([1, 0, 2, 0]), torch.Generator().manual_seed(1)
    continued_BT = torch.randint(30, 60, (len(rows), 4), generator=generator)
    ours, theirs = tiny(heads, key_heads, ATTENTION), tiny(heads, key_heads, "eager")
    prefix = run_prefix(ours.model, PROMPTS, device=torch.device("cpu"))
    prefix.expand(rows)
    kept, found = torch.arange(len(rows)), {}
    for step in range(continued_BT.shape[1]):
        if step == 2:  # rows leave, the others change places
            prefix.expand(torch.tensor([3, 1, 0]))
            kept = kept[[3, 1, 0]]
        hidden = ours.model(
            input_ids=continued_BT[kept, step, None],
            position_ids=(prefix.lengths_U + step)[:, None],
            attention_mask=prefix.mask(step + 1),
            past_key_values=prefix.cache,
            use_cache=True,
        ).last_hidden_state[:, 0]
        found |= {(int(row), step): hidden[place] for place, row in enumerate(kept)}
    assert len(found) == 4 + 4 + 3 + 3
    for (row, step), hidden in found.items():
        ids = [*PROMPTS[rows[row]], *continued_BT[row, : step + 1].tolist()]
        whole = theirs.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]
        torch.testing.assert_close(hidden, whole, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_prompts_of_one_token_see_themselves_alone() -> None:
    prompts = [[5], [11]]
    prefix = run_prefix(tiny(4, 2, ATTENTION).model, prompts, device=torch.device("cpu"))
    for row, ids in enumerate(prompts):
        whole = tiny(4, 2, "eager").model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        torch.testing.assert_close(prefix.hidden_UTD[row], whole, atol=1e-5, rtol=1e-4)
