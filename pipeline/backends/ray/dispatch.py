"""The tasks of one stage: handed out, waited for, restarted where they are lost, and cancelled if the run stops."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

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
        self._stage = stage
        self._run, self._progress = context.run, context.progress
        self._parts = parts
        self._resources = resources
        self._job, self._store = job, store
        self._done: dict[Any, int] = dict.fromkeys(parts.missing, 0)
        self._finished: set[Any] = set()
        self._attempts: dict[Any, list[str]] = {name: [] for name in parts.missing}

    def make(self) -> None:
        """Make the parts. Raises PipelineError for a part that cannot be made, and if no node can hold a task."""
        import ray

        self._check_nodes()
        task = ray.remote(make).options(
            name=f"{self._stage} {self._run.run_id}",
            num_cpus=self._resources.get("CPU", 0),
            num_gpus=self._resources.get("GPU", 0),
            memory=self._resources.get("memory"),
            max_retries=_ATTEMPTS - 1,
        )
        job = ray.put(self._job)
        pending = {task.remote(job, names): names for names in self._bundles()}
        try:
            self._wait(pending)
        except BaseException:
            for reference in pending:
                ray.cancel(reference, force=True)
            raise

    def _bundles(self) -> list[list[Any]]:
        """The parts of each task."""
        import ray

        names = list(self._parts.missing)
        size = 1
        if self._resources.get("GPU"):
            places = ray.cluster_resources().get("GPU", 1.0) / self._resources["GPU"]
            size = max(1, int(len(names) / (_TASKS_PER_PLACE * max(1.0, places))))
        return [names[start : start + size] for start in range(0, len(names), size)]

    def _wait(self, pending: dict[Any, list[Any]]) -> None:
        import ray

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
        import ray

        try:
            result: TaskResult = ray.get(task)
        except ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, Exception):
                raise cause from error
            raise
        except ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[0]
            raise PipelineError(
                f"stage {self._stage}: {_named(names)} was lost with its worker {_ATTEMPTS} times ({reason:.200}): see "
                "the nodes' logs, then resume the run with less --ray-task memory or more nodes"
            ) from error
        if result.refused is not None:
            raise PipelineError(result.refused)
        if self._store is not None:
            self._store.get(self._run, result.files)
        self._finished.update(names)
        for name in names:
            self._advance(name, self._parts.missing[name] - self._done[name])

    def _listen(self) -> None:
        """Process the messages of tasks."""
        import ray

        for name, attempt, count, line in ray.get(self._job.relay.take.remote()):
            if line:
                self._progress.say(line)
            if name not in self._done or name in self._finished:  # a last message may arrive after the task's end
                continue
            attempts = self._attempts[name]
            if attempt not in attempts:
                attempts.append(attempt)
                self._restarted(name)
            if attempt == attempts[-1]:
                self._advance(name, min(count, self._parts.missing[name] - self._done[name]))

    def _restarted(self, name: Any) -> None:
        attempts = len(self._attempts[name])
        if attempts == 1:
            return
        self._advance(name, -self._done[name])
        self._progress.say(f"{self._stage} {name}: lost with its worker, restarted on another")
        if attempts > _ATTEMPTS:
            raise PipelineError(
                f"stage {self._stage}: {name} was started {attempts} times and lost each time, perhaps for lack of "
                "memory: give its tasks more (--ray-task memory=…), then resume the run"
            )

    def _advance(self, name: Any, count: int) -> None:
        if count:
            self._done[name] += count
            self._progress.advance(count)

    def _check_nodes(self) -> None:
        too_small = _too_small(self._resources)
        if too_small is not None:
            raise PipelineError(
                f"stage {self._stage}: a task asks for {_amounts(self._resources)}, and no node of the cluster has as "
                f"much; {too_small}: ask for less with --ray-task, or add a node"
            )


def _too_small(resources: Mapping[str, float]) -> str | None:
    """The most that the living nodes have, in words; None if one of them can hold a task once it is idle."""
    import ray

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


def _named(names: list[Any]) -> str:
    return str(names[0]) if len(names) == 1 else f"{names[0]} to {names[-1]}"
