"""The engine in the run's own process that has Ray tasks make the missing parts of a stage.

Only this process holds the run's lock, writes progress, markers and log, and publishes; tasks only write parts. A task
whose worker or node dies is restarted elsewhere; a part has the same rows wherever it is made.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.backends.ray.options import EngineOptions, passed_on
from pipeline.backends.ray.storage import Store, files_of
from pipeline.backends.ray.worker import Job, Relay
from pipeline.context import Context, Engine, Plan, StageResult, make_here
from pipeline.errors import PipelineError
from pipeline.machine import sleep_while_waiting
from pipeline.provenance import code_version
from pipeline.runs.directory import STAGE_OF

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when ray is imported

_ANSWER_S = 10.0
_NEEDS_FOLDER = ("checkpoints",)
"""Modules whose parts read what is too large to be copied to every node: OpenRLHF's checkpoints."""
_STORE_BYTES = 100 * 2**20  # tasks return only a line


class RayEngine:
    """Has tasks make the parts; Ray is started, or the cluster connected to, when the first stage needs it."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._relay: Any = None
        self._store: Store | None = None
        self._version = code_version()

    def __call__(self, context: Context, plan: Plan) -> StageResult:
        stage = plan.__module__.rpartition(".")[2]
        if stage in _NEEDS_FOLDER and self._options.storage is not None:
            return make_here(context, plan)
        parts = plan(context)
        context.progress.plan(parts.total, parts.unit, parts.already_done)
        if parts.missing:
            self._open(context)
            from pipeline.backends.ray.dispatch import Dispatcher  # imports ray, which reads the environment

            job, resources = self._job(context, plan), self._resources(STAGE_OF.get(stage, stage), context)
            Dispatcher(stage, context, parts, resources=resources, job=job, store=self._store).make()
        return StageResult(parts.total, parts.unit, "ray")

    def close(self) -> None:
        """Disconnect from the cluster; a Ray that was started on this machine ends."""
        if self._relay is not None:
            import ray

            with _signal_handler_restored(signal.SIGTERM):
                ray.shutdown()
            self._relay = None
        if self._store is not None:
            self._store.remove()
            self._store = None

    def _open(self, context: Context) -> None:
        if self._relay is not None:
            return
        address = self._options.address or os.environ.get("RAY_ADDRESS") or "local"
        context.progress.say(f"Ray: {'starting on this machine' if address == 'local' else f'connecting to {address}'}")
        _choose_authentication(address)
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        local: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
        sleep_while_waiting()
        with _signal_handler_restored(signal.SIGTERM):
            try:
                _check_answers(address)
                settings = local if address == "local" else {}
                ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **settings)
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                raise PipelineError(
                    f"Ray at {address} cannot be reached ({str(error).strip().splitlines()[0]:.200}): start it with "
                    "`ray start --head`, or leave out --ray-address"
                ) from error
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._relay = ray.remote(Relay).options(num_cpus=0, scheduling_strategy=here).remote()

    def _job(self, context: Context, plan: Plan) -> Job:
        run = context.run
        files = {
            name: changed_at
            for name, changed_at in files_of(run).items()
            if not name.startswith("work/ppo/") or self._options.storage is None
        }
        if self._options.storage is not None:
            if self._store is None:
                self._store = Store(f"{self._options.storage.rstrip('/')}/{run.run_id}-{secrets.token_hex(4)}")
            self._store.put(run, files)
        return Job(
            path=str(run.path.absolute()),
            config=run.config.model_dump_json(),
            plan=plan,
            files=files,
            store=self._store.url if self._store else None,
            version=self._version,
            environment=passed_on(),
            relay=self._relay,
            key=secrets.token_hex(8),
        )

    def _resources(self, stage: str, context: Context) -> Mapping[str, float]:
        """The resources of a task of the stage, by Ray's names."""
        import ray

        most = max((node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"]), default=1.0)
        processes = context.config.reward_models.processes if stage == "reward_models" else 1
        cpus = min((context.config.threads or 1) * processes, most)
        default = {"CPU": cpus, "GPU": float(processes if "GPU" in ray.cluster_resources() else 0)}
        resources = default | dict(self._options.resources(stage))
        return {name: amount for name, amount in resources.items() if amount}


@contextmanager
def opened(options: EngineOptions) -> Iterator[Engine]:
    """The chosen engine, closed at the end."""
    if options.name == "local":
        yield make_here
        return
    engine = RayEngine(options)
    try:
        yield engine
    finally:
        engine.close()


def _check_answers(address: str) -> None:
    """Raise OSError if nothing listens there: Ray itself would keep trying for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()


def _choose_authentication(address: str) -> None:
    """Set how Ray authenticates, unless the user did: by default that depends on a file in the home folder.

    A Ray that is started on this machine gets a secret token; for a cluster the user's token is used, if one exists.
    """
    if "RAY_AUTH_MODE" in os.environ:
        return
    if address == "local":
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    given = any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    has_token = given or (Path.home() / ".ray" / "auth_token").exists()
    os.environ["RAY_AUTH_MODE"] = "token" if has_token else "disabled"


@contextmanager
def _signal_handler_restored(number: signal.Signals) -> Iterator[None]:
    """Undo Ray's own handler, which ends the process at once: a cancelled run has to record that first."""
    handler = signal.getsignal(number)
    try:
        yield
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(number, handler)
