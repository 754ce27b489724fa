"""The process that works on a run in the background: started in a session of its own, stopped by a signal.

Or a job of a cluster, where the environment names one: `pipeline/backends/ray/submitted.py`.

What is known of it later, by any other process, is its id in the run's lock, which is held as long as it lives.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.backends.ray import submitted
from pipeline.backends.ray.options import HERE, EngineOptions
from pipeline.errors import PipelineError, RunBusy, write_errors
from pipeline.runs import RunDirectory

_START_S = 60.0
_END_S = 20.0
_ASK_EVERY_S = 0.5
_KNOWN_S = 1.0  # a process that has just begun to hold the run has not said yet who it is
CONSOLE = "console.txt"
"""What the process printed, in the run's directory: the only word of one that ended before it could keep a log."""


def start(data: Path, run: RunDirectory, engine: EngineOptions = HERE) -> None:
    """Work on a run in a process that outlives this one; returns once it holds the run, or has ended.

    Raises RunBusy if a process works on it already, or a cluster is to.
    """
    submitted.ask(run)
    if run.is_running:
        raise RunBusy(f"run {run.run_id} is being worked on already; `righttree cancel {run.run_id}` stops it")
    if (there := submitted.awaited(run)) is not None:
        raise RunBusy(f"run {run.run_id} waits for Ray at {there}; `righttree cancel {run.run_id}` takes it back")
    address = submitted.cluster()
    if address is not None:
        _start_there(address, data, run, engine)
        return
    with write_errors(run.path):
        run.write_error(None)
        console = (run.path / CONSOLE).open("ab")
    with console:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pipeline", "resume", run.run_id, *engine.arguments()],
            env={**os.environ, "RIGHTTREE_HOME": str(data)},
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _wait(lambda: run.is_running or process.poll() is not None, _START_S)
    if process.poll() and run.error() is None and not run.is_running:
        run.write_error(_last_line(run.path / CONSOLE) or f"its process ended with exit code {process.returncode}")


def _start_there(address: str, data: Path, run: RunDirectory, engine: EngineOptions) -> None:
    """A cluster that is busy, or slow to see the run, may hold it later than this waits."""
    with write_errors(run.path):
        run.write_error(None)
    submitted.submit(address, data, run, engine)
    deadline = time.monotonic() + _START_S
    while submitted.awaited(run) is not None and time.monotonic() < deadline:
        submitted.ask(run)
        time.sleep(_ASK_EVERY_S)


def stop(run: RunDirectory, patience_s: float) -> None:
    """End the process that works on a run, by force if it has not ended by itself after `patience_s` seconds.

    Raises PipelineError where it is not ours to end.
    """
    _wait(lambda: run.worker() is not None or not run.is_running, _KNOWN_S)
    worker = run.worker()
    if worker is None:
        if submitted.stop(run) and _wait(lambda: not run.is_running, patience_s + _END_S):
            return
        if run.is_running:
            raise PipelineError(
                f"run {run.run_id} is worked on by a process that is not seen from here: cancel it on the machine, or "
                "in the container, where it was started"
            )
        return
    try:
        os.kill(worker, signal.SIGTERM)  # it ends what it started itself
        if _wait(lambda: not run.is_running, patience_s):
            return
        leads = os.getpgid(worker) == worker
        (os.killpg if leads else os.kill)(worker, signal.SIGKILL)
        _wait(lambda: not run.is_running, _END_S)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise PipelineError(
            f"run {run.run_id} is worked on by process {worker}, which another user started: stop it as that user"
        ) from error


def _wait(holds: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
