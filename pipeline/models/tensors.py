"""Tensors by name in a safetensors file: what stages keep beside their tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    save_file(dict(tensors), path)


def load_tensors(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a file; None where there is none, or none that is whole."""
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError):
        return None
