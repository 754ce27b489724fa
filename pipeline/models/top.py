"""The trained part of a model: copies of the decoder's top blocks, run on the outputs of the frozen trunk below them.

Reward models, PPO's policy and its critic are all made of one. Weights are float32, as small steps vanish in bfloat16;
the blocks compute as the trunk does: in bfloat16, unless the language model was loaded in float32.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.language_model import LanguageModel
from pipeline.models.trunk import blocks, depth


def copied_top(language_model: LanguageModel, layers: int) -> Any:
    """The top `layers` blocks (-1: all) and the final norm, copied to float32 and trainable, as a decoder by itself."""
    trunk_depth = depth(language_model, layers)
    top = blocks(language_model.base, trunk_depth)
    top.layers = copy.deepcopy(top.layers).float().requires_grad_(True)
    for index, layer in enumerate(top.layers):
        layer.self_attn.layer_idx = index
    top.norm = copy.deepcopy(language_model.base.norm).float().requires_grad_(True)
    top.embed_tokens = nn.Identity()  # never called: the top is given hidden states
    return top


def run_top(top: Any, hidden_BTD: Tensor, **layout: Any) -> Tensor:
    """Outputs `[B, T, D]` of a top for trunk outputs `[B, T, D]`, on the device of the top.

    Texts are padded on the right, or lie in the rows as `layout` says, arguments of the decoder (`packing.TextBatch`).
    """
    device = top.norm.weight.device
    with torch.autocast(device.type, torch.bfloat16, enabled=hidden_BTD.dtype == torch.bfloat16):
        output_BTD: Tensor = top(
            inputs_embeds=hidden_BTD.to(device), **{"use_cache": False, **layout}
        ).last_hidden_state
    return output_BTD
