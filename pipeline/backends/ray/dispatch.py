"""The tasks of one stage: handed out, waited for, restarted where they are lost, and cancelled if the run stops."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ray

from pipeline.backends.ray.storage import Store
from pipeline.backends.ray.worker import Job, TaskResult, make
from pipeline.context import Context, Parts
from pipeline.errors import PipelineError

_POLL_S = 0.5
_NODE_CHECK_S = 5.0
_PATIENCE_S = 60.0
"""How long tasks may wait for a node if the only one large enough has died."""
_ATTEMPTS = 6
"""Attempts at a part before the part, and not the nodes it was lost on, is considered the cause."""
_TASKS_PER_PLACE = 4
"""A task on a GPU has its own process, which frees the GPU's memory at its end; so it makes several parts."""


@dataclass
class _PartState:
    units: int
    done: int = 0
    finished: bool = False
    attempts: list[str] = field(default_factory=list)


class Dispatcher:
    """Hands out the missing parts of one stage and waits for them; `resources` of a task are by Ray's names."""

    def __init__(
        self,
        stage: str,
        context: Context,
        parts: Parts,
        *,
        resources: Mapping[str, float],
        job: Job,
        store: Store | None,
    ) -> None:
        self._stage, self._resources, self._job, self._store = stage, resources, job, store
        self._run, self._progress = context.run, context.progress
        self._parts = {name: _PartState(units) for name, units in parts.missing.items()}

    def make(self) -> None:
        """Make the parts. Raises PipelineError for a part that cannot be made, and if no node can hold a task."""
        self._check_nodes()
        task = ray.remote(make).options(
            name=f"{self._stage} {self._run.run_id}",
            num_cpus=self._resources.get("CPU", 0),
            num_gpus=self._resources.get("GPU", 0),
            memory=self._resources.get("memory"),
            max_retries=_ATTEMPTS - 1,
        )
        job, names, size = ray.put(self._job), list(self._parts), 1
        if gpus := self._resources.get("GPU"):
            places = max(1.0, ray.cluster_resources().get("GPU", 1.0) / gpus)
            size = max(1, int(len(names) / (_TASKS_PER_PLACE * places)))
        bundles = [names[start : start + size] for start in range(0, len(names), size)]
        pending = {task.remote(job, bundle): bundle for bundle in bundles}
        try:
            self._wait(pending)
        except BaseException:
            for reference in pending:
                ray.cancel(reference, force=True)
            raise

    def _wait(self, pending: dict[Any, list[Any]]) -> None:
        checked = fitted = time.monotonic()
        while pending:
            ready, _ = ray.wait(list(pending), timeout=_POLL_S)
            self._listen()
            for reference in ready:
                self._finish(pending.pop(reference), reference)
            if time.monotonic() - checked > _NODE_CHECK_S:
                checked = time.monotonic()
                if _too_small(self._resources) is None:
                    fitted = checked
                elif checked - fitted > _PATIENCE_S:
                    self._check_nodes()
        self._listen()

    def _finish(self, names: list[Any], task: Any) -> None:
        try:
            result: TaskResult = ray.get(task)
        except ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, Exception):
                raise cause from error
            raise
        except ray.exceptions.RayError as error:
            parts = f"{names[0]} to {names[-1]}" if len(names) > 1 else names[0]
            reason = str(error).strip().splitlines()[0]
            raise PipelineError(
                f"stage {self._stage}: {parts} was lost with its worker {_ATTEMPTS} times ({reason:.200}): see the "
                "nodes' logs, then resume the run with less --ray-task memory or more nodes"
            ) from error
        if result.refused is not None:
            raise PipelineError(result.refused)
        if self._store is not None:
            self._store.get(self._run, result.files)
        for part in (self._parts[name] for name in names):
            part.finished = True
            self._advance(part, part.units - part.done)

    def _listen(self) -> None:
        """Process the messages of tasks."""
        for name, attempt, units, line in ray.get(self._job.relay.take.remote()):
            if line:
                self._progress.say(line)
            part = self._parts.get(name)
            if part is None or part.finished:  # a last message may arrive after the task's end
                continue
            if attempt not in part.attempts:
                part.attempts.append(attempt)
                if len(part.attempts) > 1:
                    self._restarted(name, part)
            if attempt == part.attempts[-1]:
                self._advance(part, min(units, part.units - part.done))

    def _restarted(self, name: Any, part: _PartState) -> None:
        self._advance(part, -part.done)
        self._progress.say(f"{self._stage} {name}: lost with its worker, restarted on another")
        if len(part.attempts) > _ATTEMPTS:
            raise PipelineError(
                f"stage {self._stage}: {name} was started {len(part.attempts)} times and lost each time, perhaps for "
                "lack of memory: give its tasks more (--ray-task memory=…), then resume the run"
            )

    def _advance(self, part: _PartState, units: int) -> None:
        if units:
            part.done += units
            self._progress.advance(units)

    def _check_nodes(self) -> None:
        too_small = _too_small(self._resources)
        if too_small is not None:
            raise PipelineError(
                f"stage {self._stage}: a task asks for {_amounts(self._resources)}, and no node of the cluster has as "
                f"much; {too_small}: ask for less with --ray-task, or add a node"
            )


def _too_small(resources: Mapping[str, float]) -> str | None:
    """The most that the living nodes have, in words; None if one of them can hold a task once it is idle."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(all(node.get(name, 0) >= amount for name, amount in resources.items()) for node in nodes):
        return None
    most = {name: max((node.get(name, 0) for node in nodes), default=0) for name in resources}
    return f"of {len(nodes)} nodes, the most that one has of each is {_amounts(most)}"


def _amounts(resources: Mapping[str, float]) -> str:
    words = [
        f"{amount / 2**30:.1f} GiB of memory" if name == "memory" else f"{amount:g} {name}{'s' if amount != 1 else ''}"
        for name, amount in resources.items()
    ]
    return ", ".join(words) or "nothing"
