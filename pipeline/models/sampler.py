"""Sampling responses: each prompt is read once, its samples run side by side, and finished rows are dropped.

Plain ancestral sampling from softmax(logits / temperature), without top-k or top-p, so that the samples come from the
policy itself. The random numbers of a row depend only on the seed and on its place in the call.

It is our own because it was measured to be 2.7 to 5.1 times as fast as transformers' `generate()` on two cores
(docs/benchmarks.md); `python -m tests.benchmarks.sampling` measures it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.models.language_model import LanguageModel, distinct
from pipeline.models.performance.kv_cache import Prefix, run_prefix

_BLOCK = 256
_DRAW_ROWS = 16  # so many rows' logits in float32 stay in the cache: 1.05 times the tokens of drawing all rows at once
_COMPACT_BELOW = 0.9  # copying the cache for fewer rows pays once this share of the rows is still being sampled


@dataclass(frozen=True)
class Request:
    """One response to sample: the prompt as the policy sees it, and the temperature."""

    prompt: str
    temperature: float
    system_prompt: str | None = None


@dataclass(frozen=True)
class Sample:
    """A sampled response: text, number of tokens (end token included), whether it ended by itself, and token ids.

    `log_p`, if it was asked for: log-probability of each token, nats, at the temperature of the request.
    """

    text: str
    tokens: int
    finished: bool
    ids: tuple[int, ...]
    log_p: tuple[float, ...] | None = None


@torch.inference_mode()
def sample(policy: LanguageModel, requests: Sequence[Request], max_new_tokens: int, seed: int) -> list[Sample]:
    """One response per request, all in one batch; equal prompts share their prefix.

    The same requests, seed, model and machine give the same responses.
    """
    prompts, places = distinct((request.prompt, request.system_prompt) for request in requests)
    decoder = policy.frozen_base
    prefix = run_prefix(decoder, [policy.prompt_ids(*prompt) for prompt in prompts], policy.device)
    temperatures_B = torch.tensor([request.temperature for request in requests], device=policy.device)
    rows_B = torch.tensor(places, device=policy.device)
    sampled = decode(policy, decoder, prefix, rows_B, temperatures_B, max_new_tokens=max_new_tokens, seed=seed)
    return [
        Sample(policy.decode(row[:length]), length, finished, tuple(row[:length]))
        for row, length, finished in zip(
            sampled.tokens_BT.tolist(), sampled.lengths_B.tolist(), sampled.finished_B.tolist(), strict=True
        )
    ]


@dataclass(frozen=True)
class Decoded:
    """Sampled tokens `[B, T]`, how many of each row are real `[B]`, and whether the row met a stop token `[B]`."""

    tokens_BT: Tensor
    lengths_B: Tensor
    finished_B: Tensor


def decode(
    policy: LanguageModel,
    decoder: Any,
    prefix: Prefix,
    rows_B: Tensor,
    temperatures_B: Tensor,
    *,
    max_new_tokens: int,
    seed: int,
    on_read: Callable[[Tensor, int], None] | None = None,
) -> Decoded:
    """Sample from `decoder` under the policy's head; response b continues prompt `rows_B[b]` of the prefix.

    `on_read(rows, position)` is called after each pass over the newest token of these rows. With it every row is read
    to its end: its stop token too, and after T tokens the end token that closes a cut-off row.
    """
    device = policy.device
    B, T = len(rows_B), max_new_tokens
    hidden_BD = prefix.hidden_UTD[rows_B, prefix.lengths_U[rows_B] - 1]
    prefix.expand(rows_B)
    uniform_BT = torch.rand(B, T, generator=torch.Generator().manual_seed(seed)).to(device)
    stop_ids = torch.tensor(policy.stop_ids, device=device)
    tokens_BT = torch.zeros(B, T, dtype=torch.long, device=device)
    lengths_B = torch.full((B,), T, device=device)
    finished_B = torch.zeros(B, dtype=torch.bool, device=device)
    alive = torch.arange(B, device=device)  # which response each row of the batch belongs to

    def read(tokens: Tensor, step: int) -> Tensor:
        hidden: Tensor = decoder(
            input_ids=tokens[:, None],
            position_ids=(prefix.lengths_U + step)[:, None],
            attention_mask=prefix.mask(step + 1),
            past_key_values=prefix.cache,
            use_cache=True,
        ).last_hidden_state[:, 0]
        if on_read is not None:
            on_read(alive, step)
        return hidden

    for step in range(T):
        drawn = _draw(policy.frozen_head(hidden_BD), temperatures_B[alive], uniform_BT[alive, step])
        tokens_BT[alive, step] = drawn
        ended = torch.isin(drawn, stop_ids) & ~finished_B[alive]
        lengths_B[alive[ended]] = step + 1
        finished_B[alive[ended]] = True
        if on_read is None and step + 1 == T:
            break
        if on_read is not None:
            hidden_BD = read(drawn, step)
        unfinished = (~finished_B[alive]).nonzero().squeeze(1)
        if len(unfinished) == 0:
            break
        if len(unfinished) < _COMPACT_BELOW * len(alive):
            prefix.expand(unfinished)
            alive, drawn, hidden_BD = alive[unfinished], drawn[unfinished], hidden_BD[unfinished]
        if on_read is None:
            hidden_BD = read(drawn, step)
    if on_read is not None and not finished_B.all():
        read(torch.full_like(alive, policy.end_id), T)
    return Decoded(tokens_BT, lengths_B, finished_B)


def _draw(logits_BV: Tensor, temperatures_B: Tensor, uniform_B: Tensor) -> Tensor:
    """One token per row `[B]` at its temperature, some rows at a time."""
    rows = _DRAW_ROWS if logits_BV.device.type == "cpu" else len(logits_BV)
    parts = zip(logits_BV.split(rows), temperatures_B.split(rows), uniform_B.split(rows), strict=True)
    return torch.cat([draw_(logits.float().div_(at[:, None]), uniform) for logits, at, uniform in parts])


def draw_(logits_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """One token per row `[B]` from softmax(logits `[B, V]`), which is overwritten, by inversion at uniform [0, 1).

    Exact and in two levels, first among blocks of 256 tokens, then within one: a single pass over the vocabulary, where
    torch's own multinomial draws an exponential variate for every token of it.
    """
    B, V = logits_BV.shape
    weights = logits_BV.sub_(logits_BV.amax(dim=1, keepdim=True)).exp_()
    if V % _BLOCK:
        weights = torch.nn.functional.pad(weights, (0, _BLOCK - V % _BLOCK))
    blocks = weights.view(B, -1, _BLOCK)
    upto = blocks.sum(dim=2).cumsum(dim=1)
    target = uniform_B[:, None] * upto[:, -1:]
    block = torch.searchsorted(upto, target, right=True).clamp_(max=blocks.shape[1] - 1)
    before = torch.where(block > 0, upto.gather(1, (block - 1).clamp(min=0)), 0.0)
    inside = blocks[torch.arange(B, device=block.device), block[:, 0]].cumsum(dim=1)
    token = torch.searchsorted(inside, target - before, right=True).clamp_(max=_BLOCK - 1)
    return (block * _BLOCK + token)[:, 0].clamp_(max=V - 1)
