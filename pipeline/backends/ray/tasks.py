"""The tasks of one stage: handed out, waited for, begun again where they are lost, and cancelled if the run stops."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pipeline.backends.ray.storage import Store
from pipeline.backends.ray.task import Job, Made, make
from pipeline.context import Context, Parts
from pipeline.errors import PipelineError

_POLL_S = 0.5
_LOOK_S = 5.0
_PATIENCE_S = 60.0
"""How long tasks may wait for a node that died and was the only one to hold them."""
_ATTEMPTS = 6
"""At one part, before something is thought to be wrong with it and not with the nodes that it was lost on."""
_TASKS_PER_PLACE = 4
"""A task on a GPU has a process of its own, which gives the GPU's memory back at its end: it makes several parts."""


class Tasks:
    """Those of one stage, from the first that is handed out to the last that is done."""

    def __init__(
        self,
        name: str,
        context: Context,
        parts: Parts,
        resources: Mapping[str, float],
        job: Job,
        store: Store | None,
    ) -> None:
        self._name = name
        self._run, self._progress = context.run, context.progress
        self._parts = parts
        self._resources = resources
        self._job, self._store = job, store
        self._done: dict[Any, int] = dict.fromkeys(parts.missing, 0)
        self._finished: set[Any] = set()
        self._attempts: dict[Any, list[str]] = {name: [] for name in parts.missing}

    def make(self) -> None:
        """Raises PipelineError for a part that cannot be made, and where no node can hold a task."""
        import ray

        self._check_there_is_room()
        task = ray.remote(make).options(
            name=f"{self._name} {self._run.run_id}",
            num_cpus=self._resources.get("CPU", 0),
            num_gpus=self._resources.get("GPU", 0),
            memory=self._resources.get("memory"),
            max_retries=_ATTEMPTS - 1,
        )
        told = ray.put(self._job)
        pending = {task.remote(told, names): names for names in self._bundles()}
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

        looked = room_seen = time.monotonic()
        while pending:
            ready, _ = ray.wait(list(pending), timeout=_POLL_S)
            self._listen()
            for reference in ready:
                self._finish(pending.pop(reference), reference)
            if time.monotonic() - looked > _LOOK_S:
                looked = time.monotonic()
                if _too_small(self._resources) is None:
                    room_seen = looked
                elif looked - room_seen > _PATIENCE_S:
                    self._check_there_is_room()
        self._listen()

    def _finish(self, names: list[Any], task: Any) -> None:
        import ray

        try:
            made: Made = ray.get(task)
        except ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, Exception):
                raise cause from error
            raise
        except ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[0]
            raise PipelineError(
                f"stage {self._name}: {_named(names)} was lost with its worker {_ATTEMPTS} times ({reason:.200}): see "
                "the logs of the nodes; with less --ray-task memory or more nodes, resume the run"
            ) from error
        if made.refused is not None:
            raise PipelineError(made.refused)
        if self._store is not None:
            self._store.get(self._run, made.files)
        self._finished.update(names)
        for name in names:
            self._advance(name, self._parts.missing[name] - self._done[name])

    def _listen(self) -> None:
        """Take in what tasks have told since."""
        import ray

        for name, attempt, count, message in ray.get(self._job.relay.take.remote()):
            if message:
                self._progress.say(message)
            if name not in self._done or name in self._finished:  # what it told last may come later than its end
                continue
            attempts = self._attempts[name]
            if attempt not in attempts:
                attempts.append(attempt)
                self._begun_again(name)
            if attempt == attempts[-1]:
                self._advance(name, min(count, self._parts.missing[name] - self._done[name]))

    def _begun_again(self, name: Any) -> None:
        attempts = len(self._attempts[name])
        if attempts == 1:
            return
        self._advance(name, -self._done[name])
        self._progress.say(f"{self._name} {name}: lost with its worker, begun again on another")
        if attempts > _ATTEMPTS:
            raise PipelineError(
                f"stage {self._name}: {name} was begun {attempts} times and lost each time, maybe for want of memory: "
                "give its tasks more (--ray-task memory=…), then resume the run"
            )

    def _advance(self, name: Any, count: int) -> None:
        if count:
            self._done[name] += count
            self._progress.advance(count)

    def _check_there_is_room(self) -> None:
        too_small = _too_small(self._resources)
        if too_small is not None:
            raise PipelineError(
                f"stage {self._name}: a task asks for {_amounts(self._resources)}, and no node of the cluster has as "
                f"much; {too_small}: ask for less with --ray-task, or add a node"
            )


def _too_small(resources: Mapping[str, float]) -> str | None:
    """What the living nodes have, in words; None if one of them can hold a task once it is idle."""
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
