"""What a run writes to the disk and the disk refuses, in one line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import NotWritten, PipelineError

_OF_RUST = re.compile(r"\(os error (\d+)\)")  # how Polars and safetensors pass on what the system said


@contextmanager
def write_errors(path: Path, remedy: str = "make room, or see to it that the folder may be written") -> Iterator[None]:
    """Turn what the system says to a write into NotWritten, which names the path, the reason and the remedy."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        why = _reason(error)
        if why is None:
            raise
        raise NotWritten(f"{path} cannot be written ({why}): {remedy}") from error


def _reason(error: Exception) -> str | None:
    """What the system said, as `No space left on device`; None where it said nothing."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    number = _OF_RUST.search(str(error))
    return os.strerror(int(number[1])) if number else None
