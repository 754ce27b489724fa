"""How large a model is, without loading it: from a table of known models, or from the files of its folder."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from safetensors import SafetensorError, safe_open

from pipeline.config import EMBEDDED_MODEL
from pipeline.errors import InvalidSetting


@dataclass(frozen=True)
class ModelSize:
    """A decoder: the number of its weights, its blocks, their width, and the size of its keys and values.

    `tied` are the weights of an output layer that is the token embedding, and which `parameters` counts once.
    """

    parameters: float
    layers: int
    hidden: int
    key_value_heads: int
    head_size: int
    tied: int = 0

    @property
    def cache_bytes(self) -> int:
        """Bytes of keys and values of one token, in 16 bits."""
        return 2 * self.layers * self.key_value_heads * self.head_size * 2

    def trained(self, trainable_layers: int) -> float:
        """Weights in the trained top blocks, as a share of all by the number of blocks (-1: all; 0: a scalar head)."""
        if trainable_layers == 0:
            return float(self.hidden)
        return self.parameters * min(self.blocks(trainable_layers) / self.layers, 1.0)

    def frozen(self, trainable_layers: int) -> float:
        """Weights below the trained top blocks."""
        return self.parameters * (1 - self.blocks(trainable_layers) / self.layers)

    def blocks(self, trainable_layers: int) -> int:
        return self.layers if trainable_layers == -1 else min(trainable_layers, self.layers)


KNOWN: Mapping[str, ModelSize] = {
    EMBEDDED_MODEL: ModelSize(134_515_008, 30, 576, 3, 64, tied=49_152 * 576),
    "meta-llama/Meta-Llama-3-8B-Instruct": ModelSize(8_030_261_248, 32, 4096, 8, 128),
}


def model_size(name: str, parameters: float | None = None) -> ModelSize:
    """The size of a model by its name or folder; `parameters` replaces the number of its weights.

    Raises InvalidSetting where it is unknown.
    """
    path = Path(name)
    size = KNOWN.get(name) or _of_folder(path if path.is_dir() else cached(name) or path)
    if size is None:
        raise InvalidSetting(
            f"size of model {name!r} is not known; give the folder of a model with config.json and safetensors, or one "
            f"of {[*KNOWN]}",
            "model",
        )
    return size if parameters is None else replace(size, parameters=parameters)


def cached(name: str) -> Path | None:
    """The folder of a hub id in the hub's cache on this machine, if its files were downloaded before."""
    if find_spec("huggingface_hub") is None:  # comes with the extra `pipeline`
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        return None
    return Path(config).parent if isinstance(config, str) else None


def _of_folder(folder: Path) -> ModelSize | None:
    try:
        facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        heads, is_tied = facts["num_attention_heads"], bool(facts.get("tie_word_embeddings"))
        return ModelSize(
            parameters=sum(_weights(path, is_tied) for path in folder.glob("*.safetensors")),
            layers=facts["num_hidden_layers"],
            hidden=facts["hidden_size"],
            key_value_heads=facts.get("num_key_value_heads") or heads,
            head_size=facts.get("head_dim") or facts["hidden_size"] // heads,
            tied=facts["vocab_size"] * facts["hidden_size"] if is_tied else 0,
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None


def _weights(path: Path, is_tied: bool) -> int:
    """How many weights a file has; a tied output layer, which OpenRLHF writes beside the embedding, does not count."""
    with safe_open(path, framework="numpy") as file:
        names = [name for name in file.keys() if not (is_tied and name == "lm_head.weight")]  # noqa: SIM118 (no mapping)
        return sum(math.prod(file.get_slice(name).get_shape()) for name in names)
