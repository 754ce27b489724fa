"""What runs on a node of the cluster: one task makes some parts of a stage, with the stage's own code.

A worker process keeps the base model from one task to the next, and what a stage's parts share while that stage lasts.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import runs
from pipeline.backends.ray.storage import Files, Store, files_of, own_folder
from pipeline.context import Context, Parts, Plan
from pipeline.errors import PipelineError
from pipeline.machine import sleep_while_waiting
from pipeline.provenance import code_version
from pipeline.runs import RunDirectory
from warehouse.errors import WarehouseError

_SEEN_S = 120.0
"""How long a node may take to see what another one has written: an NFS client keeps a listing for a minute."""


@dataclass(frozen=True)
class Job:
    """A stage of a run, as all of its tasks are told of it.

    `path` is the run's directory where the run was started, `files` what was there when the stage began. Where nodes
    do not share it, `store` is the URL by which they exchange files, and `config` the run's settings.
    """

    path: str
    config: str
    plan: Plan
    files: Files
    store: str | None
    version: str
    environment: Mapping[str, str]
    relay: Any
    key: str


@dataclass(frozen=True)
class Made:
    """What a task gives back: why its parts cannot be made, in a line, or else the files that are in the store now."""

    refused: str | None = None
    files: Files = field(default_factory=dict)


class Relay:
    """An actor beside the run's own process: what tasks have to tell it, until it asks."""

    def __init__(self) -> None:
        self._told: list[tuple[Any, str, int, str]] = []

    def tell(self, name: Any, attempt: str, count: int, message: str) -> None:
        """Of a part and an attempt at it: so much more is done, or a line for the log."""
        self._told.append((name, attempt, count, message))

    def take(self) -> list[tuple[Any, str, int, str]]:
        """What was told since the last time."""
        told, self._told = self._told, []
        return told


class Report:
    """A task's progress, which it tells the relay; the run's own process has the plan already."""

    def __init__(self, relay: Any) -> None:
        self._relay = relay
        self._name: Any = None
        self._attempt = ""

    def begin(self, name: Any) -> None:
        """A part is begun, here."""
        self._name, self._attempt = name, f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        self.advance(0)

    def plan(self, total: int, unit: str, done: int = 0) -> None:
        """Nothing to tell."""

    def advance(self, count: int = 1) -> None:
        self._relay.tell.remote(self._name, self._attempt, count, "")

    def say(self, message: str) -> None:
        self._relay.tell.remote(self._name, self._attempt, 0, message)


class _Kept:
    """What a worker process keeps from one task to the next."""

    context: Context | None = None
    path: str = ""
    key: str = ""
    parts: Parts | None = None


def make(job: Job, names: Sequence[Any]) -> Made:
    """Make parts, those that are not there yet."""
    try:
        report = Report(job.relay)
        context, parts = _prepared(job, report)
        before = files_of(context.run) if job.store else {}
        for name in names:
            if name in parts.missing:
                report.begin(name)
                parts.make(name)
        if job.store is None:
            return Made()
        made = dict(files_of(context.run).items() - before.items())
        Store(job.store).put(context.run, made)
        return Made(files=made)
    except (PipelineError, WarehouseError) as error:
        return Made(refused=str(error))


def _prepared(job: Job, report: Report) -> tuple[Context, Parts]:
    """The run, and the parts of the job's stage as they were when this process first heard of it."""
    if _Kept.context is None or _Kept.path != job.path:
        _Kept.context = _Kept.parts = None  # another run's models are let go of before this one's are loaded
        for name, value in job.environment.items():
            os.environ.setdefault(name, value)
        sleep_while_waiting()
        if (version := code_version()) != job.version:
            raise PipelineError(
                f"{socket.gethostname()} has righttree {version}, the run was started by {job.version}: "
                "install the same on every node"
            )
        path = Path(job.path)
        run = _shared(path) if job.store is None else own_folder(path, job.config)
        _Kept.context, _Kept.path = Context(run, report), job.path
    context = _Kept.context
    context.progress = report
    if _Kept.parts is None or _Kept.key != job.key:
        _Kept.parts = None  # so is what the last stage shared
        if job.store is None:
            _wait_for(job.files, context.run)
        else:
            Store(job.store).get(context.run, dict(job.files.items() - files_of(context.run).items()))
        _Kept.parts, _Kept.key = job.plan(context), job.key
    return context, _Kept.parts


def _shared(path: Path) -> RunDirectory:
    if not path.is_dir():
        raise PipelineError(
            f"{socket.gethostname()} does not see {path}: put the data folder (RIGHTTREE_HOME) on storage that every "
            "node of the cluster has at the same path, or give --ray-storage"
        )
    return runs.open_run(path.parent.parent, path.name)


def _wait_for(files: Files, run: RunDirectory) -> None:
    """Until this node sees all that was there when the stage began."""
    deadline = time.monotonic() + _SEEN_S
    while missing := files.keys() - files_of(run).keys():
        if time.monotonic() > deadline:
            raise PipelineError(
                f"{socket.gethostname()} does not see {len(missing)} files of {run.path}, such as {min(missing)}, "
                f"{_SEEN_S:.0f} s after they were there: the nodes have to share this folder"
            )
        time.sleep(0.5)
