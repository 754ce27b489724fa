"""Sampling responses: prompts run once, all their samples side by side, finished rows dropped on the way.

Plain ancestral sampling from softmax(logits / temperature), no truncation of the distribution, so that the samples are
from the policy itself. The random numbers of a row depend on the seed and its place in the call alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pipeline.models.language_model import LanguageModel, Prefix, run_prefix

_BLOCK = 256
_COMPACT_BELOW = 0.9  # copying the cache for fewer rows pays once this share of the rows is still alive


@dataclass(frozen=True)
class Request:
    """One response to sample: what the policy sees and how hot."""

    prompt: str
    temperature: float
    system_prompt: str | None = None


@dataclass(frozen=True)
class Sample:
    """A sampled response: its text, the tokens sampled (the end token counted), whether it ended by itself, and `ids`,
    the tokens. `log_p`: of each token, as it was sampled at the request's temperature, nats; where that was asked for.
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
    distinct = list(dict.fromkeys((request.prompt, request.system_prompt) for request in requests))
    place = {prompt: index for index, prompt in enumerate(distinct)}
    prefix = run_prefix(policy.base, [policy.prompt_ids(*prompt) for prompt in distinct], max_new_tokens, policy.device)
    rows = torch.tensor([place[request.prompt, request.system_prompt] for request in requests], device=policy.device)
    hidden_BD = prefix.hidden_UTD[rows, prefix.lengths_U[rows] - 1]
    prefix.expand(rows)
    temperatures_B = torch.tensor([request.temperature for request in requests], device=policy.device)
    uniform_BT = torch.rand(len(requests), max_new_tokens, generator=torch.Generator().manual_seed(seed))
    drawn = decode(policy, policy.base, prefix, hidden_BD, temperatures_B, uniform_BT.to(policy.device))
    return [
        Sample(policy.decode(row[:length]), length, finished, tuple(row[:length]))
        for row, length, finished in zip(
            drawn.tokens_BT.tolist(), drawn.lengths_B.tolist(), drawn.finished_B.tolist(), strict=True
        )
    ]


@dataclass(frozen=True)
class Decoded:
    """Sampled tokens `[B, T]`, how many of each row are real `[B]`, and whether it met a stop token `[B]`."""

    tokens_BT: Tensor
    lengths_B: Tensor
    finished_B: Tensor


class Trace:
    """Hidden states that enter some blocks of a decoder while it decodes: what the frozen trunk below them gave.

    `states_BSD[i][b, s]` is that of token s of row b entering block i; position T holds the end token that a cut-off
    row is closed with.
    """

    def __init__(self, blocks: Sequence[Any], rows: int, positions: int, hidden_size: int) -> None:
        weight = next(blocks[0].parameters())
        self.states_BSD = [weight.new_zeros(rows, positions, hidden_size) for _ in blocks]
        self._caught = [weight.new_zeros(0) for _ in blocks]
        self._hooks = [
            block.register_forward_pre_hook(partial(self._catch, number)) for number, block in enumerate(blocks)
        ]

    def _catch(self, number: int, _: Any, inputs: tuple[Tensor, ...]) -> None:
        self._caught[number] = inputs[0]

    def keep(self, rows: Tensor, position: int) -> None:
        """Keep the latest call's states, one token a row, as those of these rows at this position."""
        for states_BSD, caught in zip(self.states_BSD, self._caught, strict=True):
            states_BSD[rows, position] = caught[:, 0]

    def close(self) -> None:
        for hook in self._hooks:
            hook.remove()


def decode(
    policy: LanguageModel,
    decoder: Any,
    prefix: Prefix,
    hidden_BD: Tensor,
    temperatures_B: Tensor,
    uniform_BT: Tensor,
    trace: Trace | None = None,
) -> Decoded:
    """Sample from `decoder` under the policy's head, from the last hidden state of each prompt on.

    With a trace, every row is read to its end: its stop token is run too, and a row cut off after T tokens is closed
    with the end token.
    """
    B, T = uniform_BT.shape
    stop_ids = torch.tensor(policy.stop_ids, device=policy.device)
    tokens_BT = torch.zeros(B, T, dtype=torch.long, device=policy.device)
    lengths_B = torch.full((B,), T, device=policy.device)
    finished_B = torch.zeros(B, dtype=torch.bool, device=policy.device)
    alive = torch.arange(B, device=policy.device)  # which request each row of the batch belongs to

    def read(tokens: Tensor, step: int) -> Tensor:
        hidden: Tensor = decoder(
            input_ids=tokens[:, None],
            position_ids=(prefix.lengths_U + step)[:, None],
            attention_mask=prefix.mask(step + 1),
            past_key_values=prefix.cache,
            use_cache=True,
        ).last_hidden_state[:, 0]
        return hidden

    for step in range(T):
        logits = policy.model.lm_head(hidden_BD).float()
        drawn = draw_(logits.div_(temperatures_B[alive, None]), uniform_BT[alive, step])
        tokens_BT[alive, step] = drawn
        ended = torch.isin(drawn, stop_ids) & ~finished_B[alive]
        lengths_B[alive[ended]] = step + 1
        finished_B[alive[ended]] = True
        if trace is None and step + 1 == T:
            break
        if trace is not None:
            hidden_BD = read(drawn, step)
            trace.keep(alive, step)
        kept = (~finished_B[alive]).nonzero().squeeze(1)
        if len(kept) == 0:
            break
        if len(kept) < _COMPACT_BELOW * len(alive):
            prefix.expand(kept)
            alive, drawn, hidden_BD = alive[kept], drawn[kept], hidden_BD[kept]
        if trace is None:
            hidden_BD = read(drawn, step)
    if trace is not None and not finished_B.all():
        read(torch.full_like(alive, policy.end_id), T)
        trace.keep(alive, T)
    return Decoded(tokens_BT, lengths_B, finished_B)


def draw_(logits_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """A token per row from softmax(logits) by inverting its distribution function at `uniform` in [0, 1).

    The logits, 40 MB a step for a usual batch, are overwritten.

    Done in two levels, first among blocks of 256 tokens and then within one: the exact draw, at the price of one pass
    over the vocabulary (torch's own multinomial draws an exponential variate for every token of it).
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
