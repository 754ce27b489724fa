"""What a safetensors file says of its tensors, read without them and without torch."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LENGTH = struct.Struct("<Q")
_METADATA = "__metadata__"


def header(path: Path) -> tuple[Mapping[str, Mapping[str, Any]], int]:
    """`shape`, `dtype` and `data_offsets` of every tensor by its name, and the byte at which the tensors begin.

    Raises OSError or ValueError where that cannot be read.
    """
    with path.open("rb") as file:
        begun = file.read(_LENGTH.size)
        if len(begun) < _LENGTH.size:
            raise ValueError(f"{path} has {len(begun)} bytes, which is no safetensors file")
        (length,) = _LENGTH.unpack(begun)
        facts = json.loads(file.read(length))
    return {name: fact for name, fact in facts.items() if name != _METADATA}, _LENGTH.size + length
