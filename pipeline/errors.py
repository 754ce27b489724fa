"""What can go wrong in the pipeline. Each message says what, what was got, and how to fix it; no traceback is shown."""

from __future__ import annotations


class PipelineError(Exception):
    """Root of the pipeline's errors; its message is meant for the user as it stands."""


class InvalidConfig(PipelineError, ValueError):
    """A profile or a setting that does not validate."""


class UnknownRun(PipelineError, LookupError):
    """No run directory of that name."""


class RunBusy(PipelineError, RuntimeError):
    """Another process is working on the run."""


class DamagedRun(PipelineError, ValueError):
    """A part or marker of a run that cannot be read."""


class ModelUnavailable(PipelineError, FileNotFoundError):
    """A model that is neither here nor to be had."""
