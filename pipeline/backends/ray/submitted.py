"""Runs submitted to a cluster as Ray jobs. Only this process's environment chooses the cluster, never a page's input.

If `RIGHTTREE_RAY_JOBS` is the address of a cluster's dashboard, everything that would start in the background here,
from the Runs page or by `--detach`, is submitted there as `righttree resume RUN --engine ray`, which runs on the head
node. The data folder has to be at the same path there.

The state of a submitted run is read from files: `ray-job.json`, the job, and `ray-answer.json`, the cluster's last
answer about it. Only `ask`, `submit` and `stop` talk to the cluster; pages call `ask_in_background`.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.backends.ray.options import EngineOptions, passed_on
from pipeline.errors import InvalidConfig, PipelineError, write_errors
from pipeline.runs import RunDirectory, locks, now, records
from warehouse import files

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

CLUSTER = "RIGHTTREE_RAY_JOBS"
"""Environment variable: `http://head:8265`."""

_JOB, _ANSWER = "ray-job.json", "ray-answer.json"
_TIMEOUT_S = 10.0
_ASK_EVERY_S = 15.0
_PLAIN = re.compile(r"[\w.,:=/@+-]+", re.ASCII)


def cluster() -> str | None:
    """Address of the cluster that background runs are submitted to; None if they are processes of this machine."""
    return os.environ.get(CLUSTER) or None


def submit(address: str, data: Path, run: RunDirectory, engine: EngineOptions) -> None:
    """Submit a run as a job. Raises PipelineError if the cluster refuses it."""
    job = f"righttree-{run.run_id}-{secrets.token_hex(4)}"
    environment = {"env_vars": {**passed_on(), "RIGHTTREE_HOME": str(data.absolute())}}
    words = ["python", "-P", "-m", "pipeline", "resume", run.run_id]
    words += replace(engine, name="ray", address=None).arguments()
    special = [word for word in words if _PLAIN.fullmatch(word) is None]
    if special:
        raise InvalidConfig(f"{special[0]!r:.200} cannot be passed to a job, which a shell starts: use plain words")
    with write_errors(run.path):  # before the job may start: `awaited` compares the times of the two files
        files.write_json(run.path / _JOB, records.RayJob(address=address, job=job))
    try:
        with _client(address, "submit") as client:
            client.submit_job(entrypoint=shlex.join(words), submission_id=job, runtime_env=environment)
    except PipelineError:
        _forget(run)
        raise


def stop(run: RunDirectory) -> bool:
    """Stop the run's last job; returns whether there was one. Raises PipelineError."""
    last = _last(run)
    if last is None:
        return False
    waited = awaited(run) is not None
    with _client(last["address"], "stop") as client:
        client.stop_job(last["job"])
    if waited:
        _forget(run)
    return True


def awaited(run: RunDirectory) -> str | None:
    """Address of the cluster that the run was submitted to and that has not started it yet; None if there is none.

    A process that executes a run writes its lock, so a job that has started has a lock newer than its submission.
    """
    last = _last(run)
    submitted, locked = _changed_at(run.path / _JOB), _changed_at(run.path / locks.LOCK)
    return None if last is None or submitted is None or (locked or 0) > submitted else last["address"]


def last_answer(run: RunDirectory) -> records.RayAnswer | None:
    """The cluster's last answer about the run's job; None if it was not asked or has not answered yet."""
    last, answer = _last(run), records.read(run.path / _ANSWER, records.RayAnswer)
    return answer if last is not None and answer is not None and answer["job"] == last["job"] else None


def ask(run: RunDirectory) -> None:
    """Ask the cluster for the state of an awaited job and record it; a job that has ended is no longer awaited.

    A cluster that does not answer changes nothing.
    """
    last = _last(run)
    if last is None or awaited(run) is None:
        return
    try:
        with _client(last["address"], "status") as client:
            info = client.get_job_info(last["job"])
    except PipelineError:
        return
    with write_errors(run.path):
        answer = records.RayAnswer(job=last["job"], state=str(info.status.value), asked_at=now())
        files.write_json(run.path / _ANSWER, answer, sync=False)
    if info.status.is_terminal() and awaited(run) is not None:
        if info.status.value != "SUCCEEDED" and run.error() is None:
            lines = [line.strip() for line in (info.message or "").splitlines() if line.strip()]
            run.write_error(f"Ray job {last['job']}: {lines[-1] if lines else info.status.value}")
        _forget(run)


def ask_in_background(run: RunDirectory) -> None:
    """Call `ask` in a thread, for each job at most every 15 seconds and one at a time; returns at once."""
    last = _last(run)
    if last is None or awaited(run) is None:
        return
    with _asking:
        if time.monotonic() - _asked.get(last["job"], -math.inf) < _ASK_EVERY_S:
            return
        _asked[last["job"]] = math.inf  # until it has answered

    def ask_and_note() -> None:
        try:
            with suppress(PipelineError):
                ask(run)
        finally:
            _asked[last["job"]] = time.monotonic()

    threading.Thread(target=ask_and_note, name="ask Ray", daemon=True).start()


_asking = threading.Lock()
_asked: dict[str, float] = {}
"""When this process last got an answer about a job."""


def _changed_at(path: Path) -> int | None:
    """When a file was changed, in nanoseconds; None if another process has removed it."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _forget(run: RunDirectory) -> None:
    with write_errors(run.path):
        (run.path / _JOB).unlink(missing_ok=True)
        (run.path / _ANSWER).unlink(missing_ok=True)


def _last(run: RunDirectory) -> records.RayJob | None:
    return records.read(run.path / _JOB, records.RayJob)


@contextmanager
def _client(address: str, verb: str) -> Iterator[JobSubmissionClient]:
    """Ray's own client, with a time limit for answers. Whatever it raises becomes a PipelineError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        from ray.job_submission import JobSubmissionClient
    except ImportError as error:
        raise PipelineError(f"{CLUSTER} is set, but Ray is not installed: `pip install 'righttree[ray]'`") from error

    class Client(JobSubmissionClient):
        def _do_request(self, method: str, endpoint: str, **options: Any) -> Any:
            return super()._do_request(method, endpoint, **{"timeout": _TIMEOUT_S, **options})

    try:
        yield Client(address)
    except Exception as error:  # Ray's, requests' or a plain RuntimeError with the server's message
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise PipelineError(
            f"Ray at {address} refused `ray job {verb}` ({reason:.300}): is {CLUSTER} right?"
        ) from error
