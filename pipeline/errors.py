"""What can go wrong in the pipeline. Each message says what, what was got, and how to fix it; no traceback is shown.

What a run writes to the disk and the disk refuses, in one line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class PipelineError(Exception):
    """Root of the pipeline's errors; its message is meant for the user as it stands."""


class InvalidConfig(PipelineError, ValueError):
    """A profile or a setting that does not validate."""


class InvalidSetting(InvalidConfig):
    """A changed setting of a profile that does not validate; `setting` is its name."""

    def __init__(self, message: str, setting: str) -> None:
        super().__init__(message)
        self.setting = setting


class InvalidDataSet(PipelineError, ValueError):
    """A file of preferences that cannot be read, is none that is known, or has a cell that its schema forbids."""


class InvalidUpload(PipelineError, ValueError):
    """An uploaded file whose name, kind or size is refused, or that cannot be kept."""


class ReadOnly(PipelineError, PermissionError):
    """Something that would change the data folder, asked of a process that may only read it."""


class UnknownRun(PipelineError, LookupError):
    """No run directory of that name."""


class RunBusy(PipelineError, RuntimeError):
    """Another process is working on the run."""


class DamagedRun(PipelineError, ValueError):
    """A part or marker of a run that cannot be read."""


class NotWritten(PipelineError, OSError):
    """A file of a run that cannot be written: the disk is full, or the folder is not ours to write."""


class NoScore(PipelineError, RuntimeError):
    """A reward model made elsewhere that gives no answer, or one that is no finite score for every text."""


class ModelUnavailable(PipelineError, FileNotFoundError):
    """A model that is neither here nor to be had."""


class TrainingFailed(PipelineError, RuntimeError):
    """Processes that train a reward model together, of which one ended before its time."""


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
