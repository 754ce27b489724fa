"""A key–value cache that is allocated once, and attention over it that never copies keys for grouped queries.

transformers' own dynamic cache concatenates all keys and values again at every token; and its attention repeats each
key head for the query heads that share it. Here a step writes one column in place, and at one query per row the heads
of a group are the queries of their key head, in two products over the whole cache: its masked, unwritten end costs less
than the copy that a slice of it would be to a batched product. The result is the same attention, to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

ATTENTION = "righttree_grouped"
"""Name to give `from_pretrained(attn_implementation=…)`."""


class _PreallocatedLayer(CacheLayerMixin):
    """One layer's keys and values `[rows, key heads, positions, head size]`; `length` of the positions are filled.

    A single token after others gets all positions back, the unfilled ones 0: its mask (`Prefix.mask`) tells which it
    sees.
    """

    is_sliding = False
    keys: Tensor
    values: Tensor

    def __init__(self, positions: int) -> None:
        super().__init__()
        self.positions = positions
        self.length = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        rows, heads, _, size = key_states.shape
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = key_states.new_zeros(rows, heads, self.positions, size)
        self.values = value_states.new_zeros(rows, heads, self.positions, size)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        continued, tokens = self.length > 0, key_states.shape[-2]
        end = self.length + tokens
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        if continued and tokens == 1:
            return self.keys, self.values
        return self.keys[:, :, :end], self.values[:, :, :end]

    def select(self, rows: Tensor) -> None:
        """Keep these rows, each as often as it is named, in this order."""
        self.keys, self.values = self.keys.index_select(0, rows), self.values.index_select(0, rows)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return self.positions


class PreallocatedCache(Cache):
    """A cache for `layers` layers and at most `positions` positions."""

    def __init__(self, layers: int, positions: int) -> None:
        self.positions = positions
        self._preallocated = [_PreallocatedLayer(positions) for _ in range(layers)]
        super().__init__(layers=list(self._preallocated))

    def select(self, rows: Tensor) -> None:
        """Keep these rows of every layer, each as often as it is named, in this order."""
        for layer in self._preallocated:
            layer.select(rows)

    def filled(self) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of every layer up to where they are filled, `[rows, key heads, length, head size]` each."""
        return [(layer.keys[:, :, : layer.length], layer.values[:, :, : layer.length]) for layer in self._preallocated]


def _grouped_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """transformers' attention function: query `[rows, heads, queries, size]` → `[rows, queries, heads, size]`."""
    packing = options.get("packing")
    if packing is not None:
        return packing.attend(query, key, value, scaling), None
    rows, heads, queries, size = query.shape
    if queries != 1 or attention_mask is None:
        output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **options)
        return output, None
    key_heads, positions = key.shape[1:3]
    grouped, keys, values = query.reshape(rows * key_heads, -1, size), key.flatten(0, 1), value.flatten(0, 1)
    mask = attention_mask.expand(rows, key_heads, heads // key_heads, positions).flatten(0, 1)
    weights = torch.baddbmm(mask, grouped, keys.transpose(1, 2), alpha=scaling or size**-0.5).softmax(-1)
    return torch.bmm(weights, values).view(rows, 1, heads, size), None


AttentionInterface.register(ATTENTION, _grouped_attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
