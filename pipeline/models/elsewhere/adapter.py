"""LoRA adapters as PEFT saves them, merged into the weights of their base model: W + scaling · B·A (arXiv 2106.09685).

An adapter's folder has `adapter_config.json`, which names the base, and `adapter_model.safetensors`: low-rank pairs
`….lora_A`, `….lora_B`, and whole weights of modules that were trained in full (`modules_to_save`), such as the head.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from pipeline.errors import ModelUnavailable
from pipeline.models.elsewhere.weights import ADAPTER, file_weights, has_model_weights, json_file

_CONFIG = "adapter_config.json"
_PREFIX = "base_model.model."
_LOW_RANK = re.compile(r"(?P<module>.+)\.lora_(?P<embedding>embedding_)?(?P<side>[AB])(\.default)?(\.weight)?")
_TRAINED_IN_FULL = re.compile(r"\.modules_to_save(\.default)?")
_MOST_NAMED = 3


class Base(NamedTuple):
    """The model under an adapter: a folder or a hub id, and the commit of the latter, if the adapter says one."""

    model: str
    commit: str | None


def base_of(folder: Path) -> Base | None:
    """The base model of an adapter's folder; None if the folder holds a whole model.

    Raises ModelUnavailable if it holds both, or an adapter of another kind than LoRA.
    """
    if not (folder / _CONFIG).is_file():
        return None
    config = json_file(folder / _CONFIG)
    if has_model_weights(folder):
        raise ModelUnavailable(f"{folder} has the weights of a whole model and {_CONFIG}; move those not meant away")
    kind, base = config.get("peft_type"), config.get("base_model_name_or_path")
    if kind != "LORA":
        raise ModelUnavailable(f"{folder / _CONFIG}: peft_type is {kind!r}; only LORA is read: merge it with PEFT")
    if not isinstance(base, str) or not base:
        raise ModelUnavailable(f"{folder / _CONFIG}: base_model_name_or_path is {base!r}; name the base model")
    beside = folder / base
    revision = config.get("revision")
    return Base(str(beside) if beside.is_dir() else base, revision if isinstance(revision, str) else None)


def merged(weights: Mapping[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """The base model's weights by name with the adapter of a folder merged in, in float32 where it changes them.

    Raises ModelUnavailable, with names, for what the base lacks and for what is no pair of LoRA.
    """
    config, result = json_file(folder / _CONFIG), dict(weights)
    low_rank: dict[str, dict[str, Tensor]] = {}
    for name, tensor in file_weights(folder / ADAPTER).items():
        place = name.removeprefix(_PREFIX)
        pair = _LOW_RANK.fullmatch(place)
        if pair is not None:
            low_rank.setdefault(pair["module"], {})[f"{pair['embedding'] or ''}{pair['side']}"] = tensor.float()
        elif ".lora_" in place:
            raise ModelUnavailable(f"{folder}: the adapter has {name}, which is no low-rank pair; merge it with PEFT")
        else:
            place = _TRAINED_IN_FULL.sub("", place)
            result[_known(result, place) or place] = tensor
    unknown = [module for module in low_rank if _known(result, f"{module}.weight") is None]
    if unknown:
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        raise ModelUnavailable(
            f"{folder}: the adapter changes {', '.join(sorted(unknown)[:_MOST_NAMED])}{more}, which its base "
            f"{config['base_model_name_or_path']!r} does not have; correct base_model_name_or_path in {_CONFIG}"
        )
    for module, parts in low_rank.items():
        name = str(_known(result, f"{module}.weight"))
        result[name] = _with_low_rank(result[name], parts, config, f"{folder}, {module}")
    return result


def _with_low_rank(weight: Tensor, parts: Mapping[str, Tensor], config: Mapping[str, Any], where: str) -> Tensor:
    """W + scaling · B·A; transposed for an embedding, and where the base stores its layers transposed."""
    embedding = "embedding_A" in parts
    try:
        low_AR, high_RB = parts["embedding_A" if embedding else "A"], parts["embedding_B" if embedding else "B"]
    except KeyError:
        raise ModelUnavailable(f"{where}: the adapter has only one half of the pair; save it again") from None
    module, rank = where.rpartition(", ")[2], low_AR.shape[0]
    change = _scaling(module, rank, config) * (high_RB @ low_AR)
    if embedding != bool(config.get("fan_in_fan_out")):
        change = change.T
    if change.shape != weight.shape:
        shapes = f"{list(change.shape)}, the base's weight is {list(weight.shape)}"
        raise ModelUnavailable(f"{where}: the adapter's change is {shapes}; it belongs to another base")
    return weight.float() + change


def _scaling(module: str, rank: int, config: Mapping[str, Any]) -> float:
    patterns = config.get("alpha_pattern") or {}
    own = [alpha for key, alpha in patterns.items() if re.match(rf"(.*\.)?({key})$", module)]
    alpha = float(own[0] if own else config.get("lora_alpha", 8))
    return alpha / sqrt(rank) if config.get("use_rslora") else alpha / rank


def _known(weights: Mapping[str, Tensor], name: str) -> str | None:
    """The base's own name of a weight: classes for other tasks put the decoder under another prefix, or none."""
    places = (name, name.partition(".")[2], f"model.{name}")
    return next((place for place in places if place in weights), None)
