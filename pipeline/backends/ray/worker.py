"""Runs on a node of the cluster: one task makes some parts of a stage, with the stage's own code.

A worker process keeps the base model from one task to the next, and what the parts of a stage share during the stage.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pipeline import runs
from pipeline.backends.ray.storage import Files, Store, files_of, own_folder
from pipeline.context import Context, Parts, Plan
from pipeline.errors import PipelineError
from pipeline.machine import sleep_while_waiting
from pipeline.provenance import code_version
from pipeline.runs import RunDirectory
from warehouse.errors import WarehouseError

_VISIBLE_S = 120.0
"""How long a node may take to see what another one wrote: an NFS client caches a listing for a minute."""


@dataclass(frozen=True)
class Job:
    """What all tasks of a stage are given.

    `path` is the run's directory where the run was started, `files` its files when the stage began. If nodes do not
    share it, `store` is the URL through which they exchange files, and `config` the run's settings.
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
class TaskResult:
    """Why the parts cannot be made, in a line, or the files that the task has put into the store."""

    refused: str | None = None
    files: Files = field(default_factory=dict)


class Message(NamedTuple):
    """From a task, about one attempt at a part: `units` more are done, or a line for the log."""

    part: Any
    attempt: str
    units: int
    line: str


class Relay:
    """An actor on the node of the run's own process, which keeps the messages of tasks until that process takes
    them."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    def send(self, message: Message) -> None:
        self._messages.append(message)

    def take(self) -> list[Message]:
        """The messages since the last call."""
        messages, self._messages = self._messages, []
        return messages


class TaskProgress:
    """A task's progress, sent to the relay; the run's own process knows the total already."""

    def __init__(self, relay: Any) -> None:
        self._relay = relay
        self._part: Any = None
        self._attempt = ""

    def begin(self, part: Any) -> None:
        """Start an attempt at a part."""
        self._part, self._attempt = part, f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        self.advance(0)

    def plan(self, total: int, unit: str, done: int = 0) -> None:
        """Nothing to send."""

    def advance(self, count: int = 1) -> None:
        self._relay.send.remote(Message(self._part, self._attempt, count, ""))

    def drop(self, count: int) -> None:
        """Nothing to send: no part gives up units."""

    def say(self, message: str) -> None:
        self._relay.send.remote(Message(self._part, self._attempt, 0, message))


class _Worker:
    """What a worker process keeps from one task to the next."""

    context: Context | None = None
    path: str = ""
    key: str = ""
    parts: Parts | None = None


def make(job: Job, names: Sequence[Any]) -> TaskResult:
    """Make the parts that are still missing."""
    try:
        report = TaskProgress(job.relay)
        context, parts = _prepared(job, report)
        before = files_of(context.run) if job.store else {}
        for name in names:
            if name in parts.missing:
                report.begin(name)
                parts.make(name)
        if job.store is None:
            return TaskResult()
        new = dict(files_of(context.run).items() - before.items())
        Store(job.store).put(context.run, new)
        return TaskResult(files=new)
    except (PipelineError, WarehouseError) as error:
        return TaskResult(refused=str(error))


def _prepared(job: Job, report: TaskProgress) -> tuple[Context, Parts]:
    """The run, and the parts of the job's stage as they were when this process first got the job."""
    if _Worker.context is None or _Worker.path != job.path:
        _Worker.context = _Worker.parts = None  # frees another run's models before this run's are loaded
        for name, value in job.environment.items():
            os.environ.setdefault(name, value)
        sleep_while_waiting()
        if (version := code_version()) != job.version:
            raise PipelineError(
                f"{socket.gethostname()} has righttree {version}, but the run was started by {job.version}: "
                "install the same version on every node"
            )
        path = Path(job.path)
        run = _shared(path) if job.store is None else own_folder(path, job.config)
        _Worker.context, _Worker.path = Context(run, report), job.path
    context = _Worker.context
    context.progress = report
    if _Worker.parts is None or _Worker.key != job.key:
        _Worker.parts = None  # frees what the parts of the last stage shared
        if job.store is None:
            _wait_for(job.files, context.run)
        else:
            Store(job.store).get(context.run, dict(job.files.items() - files_of(context.run).items()))
        _Worker.parts, _Worker.key = job.plan(context), job.key
    return context, _Worker.parts


def _shared(path: Path) -> RunDirectory:
    if not path.is_dir():
        raise PipelineError(
            f"{socket.gethostname()} does not see {path}: put the data folder (RIGHTTREE_HOME) on storage that every "
            "node of the cluster has at the same path, or give --ray-storage"
        )
    return runs.open_run(path.parent.parent, path.name)


def _wait_for(files: Files, run: RunDirectory) -> None:
    """Wait until this node sees all files that existed when the stage began."""
    deadline = time.monotonic() + _VISIBLE_S
    while missing := files.keys() - files_of(run).keys():
        if time.monotonic() > deadline:
            raise PipelineError(
                f"{socket.gethostname()} does not see {len(missing)} files of {run.path}, such as {min(missing)}, "
                f"{_VISIBLE_S:.0f} s after they were written: the nodes have to share this folder"
            )
        time.sleep(0.5)
