"""The head of a reward model: what turns the hidden state of a text's last token into one score or several.

The weights say what it is called and how many outputs it has; the settings often do not. OpenRLHF writes `score` or
another name, which it puts into `config.json` as `value_head_prefix`, and no `num_labels`; LLaMA-Factory and TRL's
value-head models write `v_head.summary`, with a bias; transformers writes `score`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import ModelUnavailable

_OF_THE_LANGUAGE_MODEL = ("lm_head", "embed_out", "output_embeddings")
_MOST_NAMED = 4


@dataclass(frozen=True)
class Head:
    """`weight_KH` and, if it has one, `bias_K`, in float32; K outputs, less `mean` and divided by `std`."""

    name: str
    weight_KH: Tensor
    bias_K: Tensor | None = None
    mean: float = 0.0
    std: float = 1.0

    def outputs(self, hidden_BH: Tensor) -> Tensor:
        """The K outputs of the hidden states of B last tokens, float32 `[B, K]`."""
        outputs_BK = torch.nn.functional.linear(hidden_BH.float(), self.weight_KH, self.bias_K)
        return (outputs_BK - self.mean) / self.std

    def to(self, device: str) -> Head:
        """The same head on a device."""
        bias_K = None if self.bias_K is None else self.bias_K.to(device)
        return Head(self.name, self.weight_KH.to(device), bias_K, self.mean, self.std)


def take_head(outside: dict[str, Tensor], config: Any, hidden: int, model: str) -> Head:
    """The head among the weights outside the decoder, for hidden states of `hidden` numbers.

    Raises ModelUnavailable, with names, if none or several of these weights can be the head, or if some are left over.
    """
    weights = {name: tensor for name, tensor in outside.items() if not name.startswith(_OF_THE_LANGUAGE_MODEL)}
    mean, std = (weights.pop(name, None) for name in ("mean", "std"))  # OpenRLHF's, in versions that saved them here
    names = [name.removesuffix(".weight") for name in weights if name.endswith(".weight")]
    prefix = getattr(config, "value_head_prefix", None)
    if len(names) > 1 and prefix in names:
        names = [prefix]
        weights = {name: weights[name] for name in weights if name.rpartition(".")[0] == prefix}
    if not names:
        raise ModelUnavailable(
            f"model {model!r} lacks a head, its weights are a language model's: it was not trained as a reward model, "
            "or its head (score.weight, value_head.weight or value_head.safetensors) was not saved with it"
        )
    name = names[0]
    weight_KH = weights.pop(f"{name}.weight")
    bias_K = weights.pop(f"{name}.bias", None)
    if weights:
        left = ", ".join(sorted(weights)[:_MOST_NAMED]) + (", …" if len(weights) > _MOST_NAMED else "")
        raise ModelUnavailable(
            f"model {model!r}: its head is not one linear layer, besides {name}.weight it has {left}; use a model with "
            "one, or serve it and give --url"
        )
    if weight_KH.ndim != 2 or weight_KH.shape[1] != hidden or (bias_K is not None and len(bias_K) != len(weight_KH)):
        shapes = f"{list(weight_KH.shape)}" + ("" if bias_K is None else f" and a bias of {list(bias_K.shape)}")
        raise ModelUnavailable(f"model {model!r}: its head {name}.weight is {shapes}; wanted [outputs, {hidden}]")
    normal = _normalisation(config, mean, std, model)
    return Head(name, weight_KH.float(), None if bias_K is None else bias_K.float(), *normal)


def _normalisation(config: Any, mean: Tensor | None, std: Tensor | None, model: str) -> tuple[float, float]:
    """What OpenRLHF subtracts and divides by, if `normalize_reward` says so; the settings go before the weights."""
    if not getattr(config, "normalize_reward", False):
        return 0.0, 1.0
    stored = (0.0 if mean is None else float(mean), 1.0 if std is None else float(std))
    numbers = (float(getattr(config, "mean", stored[0])), float(getattr(config, "std", stored[1])))
    if not all(map(math.isfinite, numbers)) or numbers[1] <= 0:
        raise ModelUnavailable(f"model {model!r}: normalize_reward with mean and std {numbers}; wanted a std above 0")
    return numbers


def output_names(config: Any, count: int) -> list[str]:
    """Names of the `count` outputs: those of the settings if they are this many, else their numbers."""
    names = getattr(config, "id2label", None) or {}
    given = [str(names.get(number, number)) for number in range(count)] if len(names) == count else []
    own = len(set(given)) == count and not all(name == f"LABEL_{number}" for number, name in enumerate(given))
    return given if own else [str(number) for number in range(count)]


def output_weights(names: list[str], chosen: Sequence[tuple[str, float]], model: str) -> list[float]:
    """The weight of every output in the score, by the names or numbers that were chosen.

    Raises ModelUnavailable for an output that is not there, one that is chosen twice, and several without a choice.
    """
    listed = ", ".join(name if name == str(number) else f"{number} {name}" for number, name in enumerate(names))
    if not chosen:
        if len(names) == 1:
            return [1.0]
        raise ModelUnavailable(
            f"model {model!r} has {len(names)} outputs ({listed}); choose one with --attribute NAME_OR_NUMBER, or a "
            "weighted sum with --weights 0=0.5,1=0.5"
        )
    numbers: list[int] = []
    for name, _ in chosen:
        number = names.index(name) if name in names else int(name) if name.isdecimal() else len(names)
        if number >= len(names):
            raise ModelUnavailable(f"model {model!r} has no output {name!r}; its outputs are {listed}")
        if number in numbers:
            raise ModelUnavailable(f"model {model!r}: output {name!r} is chosen twice; give each output once")
        numbers.append(number)
    return [
        sum(weight for other, (_, weight) in zip(numbers, chosen, strict=True) if other == number)
        for number in range(len(names))
    ]
