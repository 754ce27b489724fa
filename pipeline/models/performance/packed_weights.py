"""Linear layers whose frozen weights lie as oneDNN multiplies by them, so that no product has to lay them out again.

A bfloat16 product with few rows spends much of its time laying out the weight, the same at every token. Here it is done
once; the results are the same to the bit. Measured on a processor without matrix tiles (AMD EPYC): products of 12, 48,
96 and 192 rows by a block's weights and the head's take .6, .8, .85 and .95 times as long, and sampling in batches of
192, most of whose responses end early, gives 1.08 times the tokens. `python -m tests.benchmarks.sampling` measures it.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


class PackedLinear(nn.Module):
    """A frozen linear layer with a laid-out copy of its weight, for inference alone."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.bias = linear.bias
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())

    def forward(self, inputs: Tensor) -> Tensor:
        """`[N, D]` → `[N, outputs]`, with any axes in the place of N; it has no gradient."""
        output: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self._weight, self.bias, "none", [], "")
        return output


def has_bfloat16_products() -> bool:
    """Whether oneDNN multiplies in bfloat16 on this processor."""
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@torch.no_grad()
def packed(module: Any) -> Any:
    """The module with every linear layer in it packed, sharing all else; itself where oneDNN has no such products."""
    weights = [layer.weight for layer in module.modules() if type(layer) is nn.Linear]
    if not all(weight.device.type == "cpu" and weight.dtype == torch.bfloat16 for weight in weights):
        return module
    if not has_bfloat16_products():
        return module
    return _packed(module)


def _packed(module: nn.Module) -> nn.Module:
    if type(module) is nn.Linear:
        return PackedLinear(module)
    twin = copy.copy(module)
    twin._modules = {name: child and _packed(child) for name, child in module._modules.items()}
    return twin
