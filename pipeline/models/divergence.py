"""KL between a policy that was trained elsewhere and π_0, estimated from responses sampled from the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from pipeline.models.language_model import LanguageModel
from pipeline.models.optimizers.losses import sampled_kl
from pipeline.models.performance.head import with_entropies
from pipeline.models.sampler import Sample

_PASS_ROWS = 16


@dataclass(frozen=True)
class Divergence:
    """KL(π‖π_0) of each response by two estimates, k1 and k3, nats `[N]` each (`losses.sampled_kl`).

    `sampler_N`, if the sampler gave its own log-probabilities: KL by k3 of the sampler's distribution from π as it is
    read here. It is 0 but for rounding, unless the sampler ran other weights.
    """

    k1_N: NDArray[np.float64]
    k3_N: NDArray[np.float64]
    sampler_N: NDArray[np.float64] | None


@torch.inference_mode()
def divergence(
    policy: LanguageModel,
    reference: LanguageModel,
    prompts: Sequence[str],
    samples: Sequence[Sample],
    temperature: float,
) -> Divergence:
    """Divergence by responses sampled from the policy; both read the same batches, so that equal models are at 0."""
    k1_N, k3_N, sampler_N = (np.zeros(len(samples)) for _ in range(3))
    has_log_p = all(sample.log_p is not None for sample in samples)
    order = np.argsort([len(prompt) for prompt in prompts], kind="stable")
    for rows in np.split(order, range(_PASS_ROWS, len(order), _PASS_ROWS)):
        responses = [list(samples[row].ids) for row in rows]
        ids = [reference.prompt_ids(prompts[row]) for row in rows]
        own, other = (_log_p(model, ids, responses, temperature) for model in (policy, reference))
        mask_BT = torch.arange(own.shape[1]) < torch.tensor([len(tokens) for tokens in responses])[:, None]
        k1_B, k3_B = sampled_kl(own, other, mask_BT)
        k1_N[rows], k3_N[rows] = k1_B.double().numpy(), k3_B.double().numpy()
        if has_log_p:
            sampled = pad_sequence([torch.tensor(samples[row].log_p) for row in rows], batch_first=True)
            sampler_N[rows] = sampled_kl(sampled, own, mask_BT)[1].double().numpy()
    return Divergence(k1_N, k3_N, sampler_N if has_log_p else None)


def _log_p(
    model: LanguageModel, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], temperature: float
) -> Tensor:
    """log p of the responses' tokens, nats `[B, T]`, 0 beyond their ends; on the CPU."""
    batch = model.text_batch(prompts, responses, range(len(prompts)))
    outputs = model.base(**batch.inputs).last_hidden_state.flatten(0, 1)
    log_p_BT = torch.zeros(len(prompts), max(len(tokens) for tokens in responses))
    for row, (start, tokens) in enumerate(zip(batch.offsets[:-1].tolist(), responses, strict=True)):
        first = start + len(prompts[row]) - 1
        predicting = batch.index[torch.arange(first, first + len(tokens))]
        drawn = torch.tensor(tokens, device=outputs.device)
        log_p, _ = with_entropies(outputs[predicting], model.model.lm_head.weight, drawn, temperature)
        log_p_BT[row, : len(tokens)] = log_p.cpu()
    return log_p_BT
