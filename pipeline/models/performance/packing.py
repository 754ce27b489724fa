"""Reading texts without padding: every distinct token once, and shared prompts once for all their responses.

All tokens of a batch lie end to end in one row, so that whatever a decoder does token by token, which is nearly all of
its work, is one matrix product without waste. Only attention has to know which token sees which: there the row is split
into prompts, each seeing itself, and responses, each seeing its prompt and itself. The result is the model's own, to
rounding. Measured against the matrix products alone (24 to 96 texts): 1.24 to 1.29 times their time, 1.64 with padding;
`python -m tests.benchmarks.sampling` measures reading again.

It needs a decoder whose attention can be replaced and in which tokens meet nowhere else: `packs` tries that out. Other
decoders read padded texts in a batch, prompts and all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

_AGREES = 0.1  # bfloat16 rounds the last of 30 blocks by 0.02 of its norm; a wrong token changes it by far more


@dataclass(frozen=True)
class _Block:
    """`N` sequences of at most `L` queries, each over at most `S` keys; queries and keys are places in the packed row.

    `mask_NLS` is added to the scores; `tokens` are the `N · L` queries that are no padding, in the row's order.
    """

    queries_NL: Tensor
    keys_NS: Tensor
    mask_NLS: Tensor
    tokens: Tensor

    @classmethod
    def of(cls, queries: Sequence[Tensor], keys: Sequence[Tensor], like: Tensor) -> Self:
        """Sequence i's queries `[queries]` are the last of its keys `[keys]`, and each sees the keys up to itself."""
        lengths, sizes = torch.tensor([len(row) for row in queries]), torch.tensor([len(row) for row in keys])
        queries_NL, keys_NS = pad_sequence(list(queries), batch_first=True), pad_sequence(list(keys), batch_first=True)
        columns, places = torch.arange(keys_NS.shape[1]), torch.arange(queries_NL.shape[1])
        seen_NLS = columns <= (sizes - lengths)[:, None, None] + places[:, None]  # beyond its length a query is padding
        mask_NLS = torch.zeros(seen_NLS.shape, dtype=like.dtype).masked_fill_(~seen_NLS, float("-inf"))
        tokens = (places < lengths[:, None]).flatten().nonzero()[:, 0]
        return cls(*(part.to(like.device) for part in (queries_NL, keys_NS, mask_NLS, tokens)))

    def heads(self, query_heads: int, key_heads: int) -> _Heads:
        """The block as index of rows (token, key head); the query heads of a key head lie side by side."""
        (N, L), S, K, G = self.queries_NL.shape, self.keys_NS.shape[1], key_heads, query_heads // key_heads
        heads_K = torch.arange(K, device=self.tokens.device)
        return _Heads(
            (self.queries_NL[:, None] * K + heads_K[:, None]).flatten(),
            (self.keys_NS[:, None] * K + heads_K[:, None]).flatten(),
            self.mask_NLS[:, None, :, None].expand(N, K, L, G, S).reshape(N * K, L * G, S),
            (((self.tokens // L)[:, None] * K + heads_K) * L + (self.tokens % L)[:, None]).flatten(),
        )


@dataclass(frozen=True)
class _Heads:
    """A block for a number of heads: see `_Block.heads`."""

    queries: Tensor
    keys: Tensor
    mask: Tensor
    back: Tensor

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """`[T · K, G · size]`, `[T · K, size]` twice → `[tokens of the block · K, G · size]`."""
        NK, LG, S = self.mask.shape
        size = key.shape[1]
        queries = query.index_select(0, self.queries).view(NK, LG, size)
        keys, values = (rows.index_select(0, self.keys).view(NK, S, size) for rows in (key, value))
        weights = torch.baddbmm(self.mask, queries, keys.transpose(1, 2), alpha=scaling).softmax(-1)
        return torch.bmm(weights, values).view(-1, query.shape[1]).index_select(0, self.back)


class Packing:
    """How a row of tokens is split into prompts and responses; passed to the decoder's attention as `packing`."""

    def __init__(self, blocks: Sequence[_Block]) -> None:
        self._blocks = blocks
        self._heads: dict[tuple[int, int], list[_Heads]] = {}

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """Attention of one packed row: `[1, heads, T, size]` → `[1, T, heads, size]`; query heads share key heads."""
        _, H, T, size = query.shape
        K = key.shape[1]
        if (H, K) not in self._heads:  # the same for every layer
            self._heads[H, K] = [block.heads(H, K) for block in self._blocks]
        queries, keys, values = (part[0].transpose(0, 1).reshape(T * K, -1) for part in (query, key, value))
        parts = [heads.attend(queries, keys, values, scaling) for heads in self._heads[H, K]]
        return torch.cat(parts).view(1, T, H, size)


@dataclass(frozen=True)
class TextBatch:
    """The arguments with which a decoder reads texts, and where their tokens are in its output.

    Token j of text i is row `index[offsets[i] + j]` of the output `[·, ·, hidden]` with its first two axes as one.
    """

    inputs: dict[str, Any]
    index: Tensor
    offsets: Tensor

    @classmethod
    def packed(
        cls, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], rows: Sequence[int], like: Tensor
    ) -> Self:
        """Texts without padding: response i continues prompt `rows[i]`; `like` has the decoder's device and type."""
        device = like.device
        lengths = [len(ids) for ids in (*prompts, *responses)]
        spans = torch.arange(sum(lengths)).split(lengths)
        ours, theirs = spans[: len(prompts)], spans[len(prompts) :]
        texts = [torch.cat([ours[row], span]) for row, span in zip(rows, theirs, strict=True)]
        places = [torch.arange(len(span)) for span in ours]
        places += [len(ours[row]) + torch.arange(len(span)) for row, span in zip(rows, theirs, strict=True)]
        blocks = (_Block.of(ours, ours, like), _Block.of(theirs, texts, like))
        tokens = torch.tensor([token for ids in (*prompts, *responses) for token in ids])
        inputs = {
            "input_ids": tokens[None].to(device),
            "position_ids": torch.cat(places)[None].to(device),
            "attention_mask": torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device),  # four axes: used unchanged
            "use_cache": False,
            "packing": Packing(blocks),
        }
        return cls(inputs, torch.cat(texts).to(device), _offsets(texts))

    @classmethod
    def padded(
        cls, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], rows: Sequence[int], like: Tensor
    ) -> Self:
        """The same texts whole `[texts, longest]`, one per row, padded on the right, for any decoder."""
        texts = [[*prompts[row], *ids] for row, ids in zip(rows, responses, strict=True)]
        tokens_NL, lengths_N = pad_right(texts, like.device)
        mask_NL = torch.arange(tokens_NL.shape[1], device=like.device) < lengths_N[:, None]
        inputs = {"input_ids": tokens_NL, "attention_mask": mask_NL.long(), "use_cache": False}
        return cls(inputs, mask_NL.flatten().nonzero()[:, 0], _offsets(texts))


def pad_right(rows: Sequence[Sequence[int]], device: torch.device, padding: int = 0) -> tuple[Tensor, Tensor]:
    """Token ids `[rows, longest]`, padded on the right, and the lengths `[rows]`."""
    tokens = pad_sequence([torch.tensor(ids) for ids in rows], batch_first=True, padding_value=padding)
    return tokens.to(device), torch.tensor([len(ids) for ids in rows], device=device)


def _offsets(texts: Sequence[Sequence[int] | Tensor]) -> Tensor:
    return torch.tensor([0, *(len(text) for text in texts)]).cumsum(0)


@torch.no_grad()
def packs(
    decoder: Any, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], rows: Sequence[int]
) -> bool:
    """Whether the decoder gives the same outputs for these texts packed as padded."""
    like = decoder.get_input_embeddings().weight
    outputs = []
    for make in (TextBatch.padded, TextBatch.packed):
        batch = make(prompts, responses, rows, like)
        try:
            hidden = decoder(**batch.inputs).last_hidden_state
        except (TypeError, ValueError, RuntimeError, AttributeError):  # it does not accept `packing`
            return False
        outputs.append(hidden.flatten(0, 1)[batch.index].float())
    plain, packed = outputs
    return bool((packed - plain).norm() < _AGREES * plain.norm())
