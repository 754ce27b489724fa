"""Log-probabilities of tokens under a frozen language-model head, with their gradient but without stored logits.

With z = h·Wᵀ/τ, log p(y) = z_y − logsumexp z, and its gradient by h is (W_y − Σ_v p_v W_v)/τ: one vector per token,
computed while the logits are in memory. The backward pass is then one product of that vector with the incoming
gradient, where autograd would hold the logits of a batch (half a GiB for 2,700 tokens) several times over.
`python -m tests.benchmarks.sampling` measures the updates of PPO that use it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

_CHUNK_TOKENS = 512


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
    for hidden, tokens in zip(hidden_ND.split(_CHUNK_TOKENS), tokens_N.split(_CHUNK_TOKENS), strict=True):
        logits, own, p = _distribution(hidden, weight_VD, tokens, temperature)
        log_p.append(own)
        mean = torch.linalg.vecdot(p, logits.float())
        entropy.append(own - logits.gather(1, tokens[:, None])[:, 0].float() + mean)
    return torch.cat(log_p), -torch.cat(entropy)


class _Distribution(NamedTuple):
    """Logits `[N, V]`, log p of the tokens `[N]` and p `[N, V]`."""

    logits_NV: Tensor
    log_p_N: Tensor
    p_NV: Tensor


def _distribution(hidden_ND: Tensor, weight_VD: Tensor, tokens_N: Tensor, temperature: float) -> _Distribution:
    logits = hidden_ND.to(weight_VD.dtype) @ weight_VD.T
    if temperature != 1.0:
        logits = logits / temperature
    own, highest = logits.gather(1, tokens_N[:, None])[:, 0].float(), logits.amax(dim=1).float()
    p = torch.softmax(logits, dim=1, dtype=torch.float32)
    return _Distribution(logits, own - highest + p.amax(dim=1).log(), p)  # the largest p is 1/Σ exp(z − highest)


class _TokenLogProbabilities(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden_ND: Tensor, weight_VD: Tensor, tokens_N: Tensor, temperature: float) -> Tensor:
        log_p, slopes = [], []
        for hidden, tokens in zip(hidden_ND.split(_CHUNK_TOKENS), tokens_N.split(_CHUNK_TOKENS), strict=True):
            _, own, p = _distribution(hidden, weight_VD, tokens, temperature)
            log_p.append(own)
            if ctx.needs_input_grad[0]:
                mean = p.to(weight_VD.dtype) @ weight_VD
                slopes.append((weight_VD[tokens].float() - mean.float()) / temperature)
        if slopes:
            ctx.save_for_backward(torch.cat(slopes))
            ctx.dtype = hidden_ND.dtype
        return torch.cat(log_p)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None, None]:
        (slopes_ND,) = ctx.saved_tensors
        return (gradients[0][:, None] * slopes_ND).to(ctx.dtype), None, None, None
