"""The frozen trunk's outputs for prompts, shared by all policies over it, which answer the same prompts many times.

Each prompt is read by itself, so that its state does not depend on what else was read, or when: a resumed run
continues as an uninterrupted one would. Reading a prompt once per run instead of once per rollout has no figure of its
own; `python -m tests.benchmarks.sampling` measures rollouts with it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from pipeline.models.language_model import LanguageModel
from pipeline.models.performance.kv_cache import PreallocatedCache, Prefix
from pipeline.models.policy import SamplingDecoder
from pipeline.models.trunk import depth, tapped, trunk_of

_MOST_TOKENS = 50_000  # 1.1 GiB of the embedded model's keys and values, and 0.05 GiB for each deeper trunk


@dataclass(frozen=True)
class PromptState:
    """Keys and values of the trunk's L blocks `[L, key heads, S, head size]`, and its outputs `[S, D]`.

    `deeper_SD`: outputs of the deeper trunks.
    """

    keys: Tensor
    values: Tensor
    outputs_SD: Tensor
    deeper_SD: tuple[Tensor, ...]


class PromptStates:
    """States of prompts below the top `layers` blocks (-1: all); the oldest are dropped beyond some number of tokens.

    `deeper`: larger numbers of top blocks, for whose trunks the outputs are stored too.
    """

    def __init__(self, language_model: LanguageModel, layers: int, deeper: Collection[int] = ()) -> None:
        self.deeper = tuple(sorted(deeper))
        self._language_model = language_model
        self._trunk = trunk_of(language_model, layers)
        self._known: dict[tuple[int, ...], PromptState] = {}

    @torch.no_grad()
    def of(self, prompts: Sequence[Sequence[int]]) -> list[PromptState]:
        """States of prompts (token ids); what is not stored is read."""
        states = []
        for ids in map(tuple, prompts):
            if ids not in self._known:
                while self._known and sum(map(len, self._known)) + len(ids) > _MOST_TOKENS:
                    del self._known[next(iter(self._known))]  # the oldest
                self._known[ids] = self._read(ids)
            states.append(self._known[ids])
        return states

    @torch.no_grad()
    def prefix(self, sampling: SamplingDecoder, states: Sequence[PromptState]) -> Prefix:
        """The result of `kv_cache.run_prefix`, running only the policy's blocks on top of the states."""
        device = self._language_model.device
        lengths_U = torch.tensor([len(state.outputs_SD) for state in states], device=device)
        outputs_USD = pad_sequence([state.outputs_SD for state in states], batch_first=True)
        U, width, _ = outputs_USD.shape
        cache = PreallocatedCache(len(sampling.decoder.layers), width)
        L, heads, _, size = states[0].keys.shape
        keys, values = (outputs_USD.new_zeros(L, U, heads, width, size) for _ in range(2))
        for row, state in enumerate(states):
            length = len(state.outputs_SD)
            keys[:, row, :, :length], values[:, row, :, :length] = state.keys, state.values
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

    def _read(self, ids: tuple[int, ...]) -> PromptState:
        blocks = len(self._trunk.layers)
        cache = PreallocatedCache(blocks, len(ids))
        tokens = torch.tensor([ids], device=self._language_model.device)
        depths = [depth(self._language_model, layers) for layers in self.deeper]
        with tapped(self._trunk, depths) as seen:
            outputs_SD = self._trunk(input_ids=tokens, past_key_values=cache, use_cache=True).last_hidden_state[0]
        deeper_SD = tuple(seen[blocks_below][0] for blocks_below in depths)
        if not blocks:
            empty = outputs_SD.new_zeros(0, 1, len(ids), 1)
            return PromptState(empty, empty, outputs_SD, deeper_SD)
        keys, values = (torch.stack([part[0] for part in parts]) for parts in zip(*cache.filled(), strict=True))
        return PromptState(keys, values, outputs_SD, deeper_SD)
