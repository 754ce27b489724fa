"""What can go wrong in the pipeline. A message says what is wrong, which value was found and what to do about it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class PipelineError(Exception):
    """Root of the pipeline's errors; its message is shown to the user."""


class InvalidConfig(PipelineError, ValueError):
    """A profile or a setting that does not validate."""


class InvalidSetting(InvalidConfig):
    """A changed setting of a profile that does not validate; `setting` is its name."""

    def __init__(self, message: str, setting: str) -> None:
        super().__init__(message)
        self.setting = setting


class InvalidDataSet(PipelineError, ValueError):
    """A file of preferences that cannot be read, is of an unknown kind, or has an invalid cell."""


class InvalidUpload(PipelineError, ValueError):
    """An uploaded file whose name, kind or size is refused, or that cannot be stored."""


class ReadOnly(PipelineError, PermissionError):
    """A change of the data folder in a process that may only read it."""


class UnknownRun(PipelineError, LookupError):
    """No run directory of that name."""


class ResultsOnly(UnknownRun):
    """A run whose results are in the warehouse, without a run directory: nothing can be computed in it."""


class RunBusy(PipelineError, RuntimeError):
    """Another process works on the run."""


class DamagedRun(PipelineError, ValueError):
    """A part or marker of a run that cannot be read."""


class NotWritten(PipelineError, OSError):
    """A file that cannot be written: the disk is full, or the folder is read-only."""


class NoScore(PipelineError, RuntimeError):
    """A reward model trained elsewhere that does not answer with a finite score for every text."""


class ModelUnavailable(PipelineError, FileNotFoundError):
    """A model, or a package that it needs, that is neither installed nor can be fetched."""


class TrainingFailed(PipelineError, RuntimeError):
    """One of the processes that train a reward model together ended too early."""


_SECRETS = (
    (re.compile(r"(?<=://)[^/?#\s'\"]*@"), "…@"),  # user and password
    (re.compile(r"([?&#][^=&#\s'\"]*=)[^&#\s'\"]+"), r"\1…"),  # values after a question mark
)


def without_secrets(text: str) -> str:
    """The text with what may be secret in its URLs left out: user and password, and the values of a query."""
    for secret, shown in _SECRETS:
        text = secret.sub(shown, text)
    return text


_RUST_ERROR = re.compile(r"\(os error (\d+)\)")  # how Polars and safetensors report a system error


@contextmanager
def write_errors(path: Path, remedy: str = "make room, or make the folder writable") -> Iterator[None]:
    """Turn a system error in a write into NotWritten, which names the path, the reason and the remedy."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        number = _RUST_ERROR.search(str(error))
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
        elif number:
            reason = os.strerror(int(number[1]))
        else:
            raise
        raise NotWritten(f"{path} cannot be written ({reason}): {remedy}") from error
