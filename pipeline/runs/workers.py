"""The process that works on a run in the background: started in its own session, stopped by a signal.

It can also be a job of a cluster, if the environment names one: `pipeline/backends/ray/submitted.py`. Other processes
know it only by its id in the run's lock, which it holds as long as it lives.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from pipeline.backends.ray import submitted
from pipeline.backends.ray.options import HERE, EngineOptions
from pipeline.errors import PipelineError, RunBusy, write_errors
from pipeline.runs import RunDirectory

_START_S = 60.0
_END_S = 20.0
_ASK_EVERY_S = 0.5
_KNOWN_S = 1.0  # a process that has just started to hold the run has not written its id yet
CONSOLE = "console.txt"
"""The output of the process, in the run's directory: the only trace of one that ended before it could write a log."""


def start(data: Path, run: RunDirectory, engine: EngineOptions = HERE) -> None:
    """Work on a run in a process that outlives this one; returns when it holds the run or has ended.

    Raises RunBusy if a process works on the run already, or a cluster is going to.
    """
    submitted.ask(run)
    if run.is_running:
        raise RunBusy(f"run {run.run_id} is running already; `righttree cancel {run.run_id}` stops it")
    if (cluster := submitted.awaited(run)) is not None:
        raise RunBusy(f"run {run.run_id} waits for Ray at {cluster}; `righttree cancel {run.run_id}` withdraws it")
    with write_errors(run.path):
        run.write_error(None)
    address = submitted.cluster()
    if address is not None:
        submitted.submit(address, data, run, engine)
        deadline = time.monotonic() + _START_S  # a busy cluster may start the run later than this
        while submitted.awaited(run) is not None and time.monotonic() < deadline:
            submitted.ask(run)
            time.sleep(_ASK_EVERY_S)
        return
    with write_errors(run.path):
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
        with suppress(FileNotFoundError):  # the run was deleted meanwhile
            printed = (run.path / CONSOLE).read_text(errors="replace").split("\n")
            lines = [line.strip() for line in printed if line.strip()]
            run.write_error(lines[-1] if lines else f"its process ended with exit code {process.returncode}")


def stop(run: RunDirectory, patience_s: float) -> None:
    """End the process that works on a run; it is killed if it has not ended after `patience_s` seconds.

    Raises PipelineError for a process that this one cannot end.
    """
    _wait(lambda: run.worker() is not None or not run.is_running, _KNOWN_S)
    worker = run.worker()
    if worker is None:
        if submitted.stop(run) and _wait(lambda: not run.is_running, patience_s + _END_S):
            return
        if run.is_running:
            raise PipelineError(
                f"the process that works on run {run.run_id} is not visible from here: cancel it on the machine, or in "
                "the container, where it was started"
            )
        return
    try:
        process = psutil.Process(worker)
        if run.worker() != worker:  # it ended before, and the id may be another one's by now
            return
        process.terminate()  # it ends the processes that it started
        if _wait(lambda: run.worker() != worker, patience_s):
            return
        if os.getpgid(worker) == worker and process.is_running():
            os.killpg(worker, signal.SIGKILL)
        else:
            process.kill()
        _wait(lambda: not run.is_running, _END_S)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return
    except (PermissionError, psutil.AccessDenied) as error:
        raise PipelineError(
            f"process {worker}, which works on run {run.run_id}, was started by another user: stop it as that user"
        ) from error


def _wait(is_met: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not (met := is_met()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met
