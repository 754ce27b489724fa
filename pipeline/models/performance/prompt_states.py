"""What a frozen trunk makes of prompts, kept for every policy over it: they answer the same prompts over and over.

Each prompt is read by itself, so that what is found does not hang on what else was read, or when: a resumed run goes on
as an uninterrupted one would.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.models.language_model import LanguageModel, Prefix
from pipeline.models.performance.kv_cache import PreallocatedCache
from pipeline.models.policy import SamplingDecoder
from pipeline.models.trunk import depth, tapped, trunk_of

_KEPT_TOKENS = 50_000  # 1.1 GiB of the embedded model's keys and values, and 0.05 GiB for each deeper trunk


@dataclass(frozen=True)
class PromptState:
    """Keys and values of the trunk's L blocks `[L, key heads, S, head size]`, and its outputs `[S, D]`.

    `deeper_SD`: what left the deeper trunks on the way.
    """

    keys: Tensor
    values: Tensor
    outputs_SD: Tensor
    deeper_SD: tuple[Tensor, ...]


class PromptStates:
    """States of prompts below the top `layers` blocks (-1: all blocks are on top), up to some number of tokens.

    `deeper`: greater numbers of top blocks, below which the outputs are wanted too.
    """

    def __init__(self, language_model: LanguageModel, layers: int, deeper: Collection[int] = ()) -> None:
        self.deeper = tuple(sorted(deeper))
        self._language_model = language_model
        self._trunk = trunk_of(language_model, layers)
        self._known: dict[tuple[int, ...], PromptState] = {}

    @torch.no_grad()
    def of(self, prompts: Sequence[Sequence[int]]) -> list[PromptState]:
        """States of prompts (token ids)."""
        return [self._state(tuple(ids)) for ids in prompts]

    @torch.no_grad()
    def prefix(self, sampling: SamplingDecoder, states: Sequence[PromptState], room: int) -> Prefix:
        """`language_model.run_prefix` for prompts whose states are at hand, running the policy's blocks alone."""
        device = self._language_model.device
        lengths_U = torch.tensor([len(state.outputs_SD) for state in states], device=device)
        U, width = len(states), int(lengths_U.max())
        cache = PreallocatedCache(len(sampling.decoder.layers), width + room)
        L, heads, _, size = states[0].keys.shape
        outputs_USD = states[0].outputs_SD.new_zeros(U, width, states[0].outputs_SD.shape[1])
        keys, values = (outputs_USD.new_zeros(L, U, heads, width, size) for _ in range(2))
        for row, state in enumerate(states):
            length = len(state.outputs_SD)
            keys[:, row, :, :length], values[:, row, :, :length] = state.keys, state.values
            outputs_USD[row, :length] = state.outputs_SD
        for layer in range(L):
            cache.update(keys[layer], values[layer], layer)
        seen = torch.full((width, width), -torch.inf, dtype=outputs_USD.dtype, device=device).triu(1)
        hidden_UTD = sampling.top(
            inputs_embeds=outputs_USD,
            position_ids=torch.arange(width, device=device)[None],
            attention_mask=seen[None, None],
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return Prefix(cache, width, lengths_U, hidden_UTD)

    def _state(self, ids: tuple[int, ...]) -> PromptState:
        found = self._known.get(ids)
        if found is None:
            while self._known and sum(map(len, self._known)) + len(ids) > _KEPT_TOKENS:
                del self._known[next(iter(self._known))]  # the oldest
            found = self._known[ids] = self._read(ids)
        return found

    def _read(self, ids: tuple[int, ...]) -> PromptState:
        blocks = len(self._trunk.layers)
        cache = PreallocatedCache(blocks, len(ids))
        tokens = torch.tensor([ids], device=self._language_model.device)
        depths = [depth(self._language_model, layers) for layers in self.deeper]
        with tapped(self._trunk, depths) as seen:
            outputs_SD = self._trunk(input_ids=tokens, past_key_values=cache, use_cache=True).last_hidden_state[0]
        deeper_SD = tuple(seen[blocks_below][0] for blocks_below in depths)
        if not blocks:
            none = outputs_SD.new_zeros(0, 1, len(ids), 1)
            return PromptState(none, none, outputs_SD, deeper_SD)
        keys, values = (torch.stack([part[0] for part in parts]) for parts in zip(*cache.filled(), strict=True))
        return PromptState(keys, values, outputs_SD, deeper_SD)
