"""Log-probabilities of tokens under a frozen language-model head, with their gradient but without stored logits.

With z = h·Wᵀ/τ, log p(y) = z_y − logsumexp z, and its gradient by h is (W_y − Σ_v p_v W_v)/τ: one vector per token,
computed while the logits are in memory. The backward pass is then one product of that vector with the incoming
gradient, where autograd would hold the logits of a batch (half a GiB for 2,700 tokens) several times over.

What follows a product is done a few tokens at a time, whose logits in float32 stay in the processor's cache. Against
the product of 512 tokens at once, the log-probabilities take 1.2 times as long (2.6 over all 512), with entropies 1.3
times (3.9), with slopes, which are a second product, 2.3 times (3.9). `python -m tests.benchmarks.sampling` measures
judging and updates, which use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

_PRODUCT_TOKENS = 128
_CACHED_TOKENS = 16


def token_log_probabilities(hidden_ND: Tensor, weight_VD: Tensor, tokens_N: Tensor, temperature: float) -> Tensor:
    """log p of each token, in nats, float32 `[N]`; differentiable by `hidden_ND`.

    `hidden_ND`: the decoder's outputs that predict the tokens; `weight_VD`: the head's frozen weight.
    """
    log_p_N: Tensor = _TokenLogProbabilities.apply(hidden_ND, weight_VD, tokens_N, temperature)
    return log_p_N


@torch.no_grad()
def with_entropies(hidden_ND: Tensor, weight_VD: Tensor, tokens_N: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """log p of each token and the entropy of the distribution it was drawn from, both in nats, float32 `[N]`."""
    log_p, entropy = [], []
    for hidden, tokens in _split(_PRODUCT_TOKENS, hidden_ND, tokens_N):
        for logits, own in _split(_cached(hidden), _logits(hidden, weight_VD), tokens):
            part = _exponentials(logits, own, temperature)
            log_p.append(part.log_p_N)
            entropy.append(part.total_N.log() - torch.linalg.vecdot(part.exp_NV, part.shifted_NV) / part.total_N)
    return torch.cat(log_p), torch.cat(entropy)


class _Exponentials(NamedTuple):
    """z less its greatest `[N, V]`, exp of it `[N, V]`, the sum of that `[N]`, and log p of the tokens `[N]`."""

    shifted_NV: Tensor
    exp_NV: Tensor
    total_N: Tensor
    log_p_N: Tensor


def _exponentials(logits_NV: Tensor, tokens_N: Tensor, temperature: float) -> _Exponentials:
    shifted = logits_NV.to(torch.float32, copy=True)
    if temperature != 1.0:
        shifted.div_(temperature)
    shifted.sub_(shifted.amax(dim=1, keepdim=True))
    exponentials = shifted.exp()
    total = exponentials.sum(dim=1)
    return _Exponentials(shifted, exponentials, total, shifted.gather(1, tokens_N[:, None])[:, 0] - total.log())


def _logits(hidden_ND: Tensor, weight_VD: Tensor) -> Tensor:
    return hidden_ND.to(weight_VD.dtype) @ weight_VD.T


def _split(size: int, rows: Tensor, tokens_N: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(rows.split(size), tokens_N.split(size), strict=True)


def _cached(hidden_ND: Tensor) -> int:
    return _CACHED_TOKENS if hidden_ND.device.type == "cpu" else _PRODUCT_TOKENS


class _TokenLogProbabilities(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden_ND: Tensor, weight_VD: Tensor, tokens_N: Tensor, temperature: float) -> Tensor:
        log_p, slopes = [], []
        for hidden, tokens in _split(_PRODUCT_TOKENS, hidden_ND, tokens_N):
            logits_NV, totals = _logits(hidden, weight_VD), []
            for logits, own in _split(_cached(hidden), logits_NV, tokens):
                part = _exponentials(logits, own, temperature)
                log_p.append(part.log_p_N)
                if ctx.needs_input_grad[0]:
                    logits.copy_(part.exp_NV)
                    totals.append(part.total_N)
            if totals:
                mean = (logits_NV @ weight_VD).float() / torch.cat(totals)[:, None]
                slopes.append((weight_VD[tokens].float() - mean) / temperature)
        if slopes:
            ctx.save_for_backward(torch.cat(slopes))
            ctx.dtype = hidden_ND.dtype
        return torch.cat(log_p)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None, None]:
        (slopes_ND,) = ctx.saved_tensors
        return (gradients[0][:, None] * slopes_ND).to(ctx.dtype), None, None, None
