"""Runs that a cluster works on as Ray jobs, where the environment of this process says so and never a page's input.

Where `RIGHTTREE_RAY_JOBS` is the address of a cluster's dashboard, everything that would be started in the background
here, from the Runs page or by `--detach`, is submitted there: `righttree resume RUN --engine ray`, on the head node.
The data folder has to be at the same path there. Ray's own command line does it, as an argument list.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from pipeline.cluster.options import EngineOptions, passed_on
from pipeline.errors import InvalidConfig, PipelineError
from pipeline.runs import RunDirectory
from pipeline.writing import told

CLUSTER = "RIGHTTREE_RAY_JOBS"
"""Environment variable: `http://head:8265`."""

_LAST = "ray-job.json"
_LIMIT_S = 60.0
_PLAIN = re.compile(r"[\w.,:=/@+-]+", re.ASCII)


def cluster() -> str | None:
    """Address of the cluster that background runs are submitted to; None where they are processes of this machine."""
    return os.environ.get(CLUSTER) or None


def submit(address: str, data: Path, run: RunDirectory, engine: EngineOptions) -> None:
    """Submit the work on a run as a job. Raises PipelineError where the cluster does not take it."""
    job = f"righttree-{run.run_id}-{secrets.token_hex(4)}"
    environment = {"env_vars": {**passed_on(), "RIGHTTREE_HOME": str(data.absolute())}}
    words = ["python", "-P", "-m", "pipeline", "resume", run.run_id]
    words += replace(engine, name="ray", address=None).arguments()
    odd = [word for word in words if _PLAIN.fullmatch(word) is None]
    if odd:
        raise InvalidConfig(f"{odd[0]!r:.200} cannot be passed on to a job, which a shell starts: use plain words")
    options = ["--submission-id", job, "--no-wait", "--runtime-env-json", json.dumps(environment)]
    with told(run.path):  # before the job may begin, by which `awaited` tells
        (run.path / _LAST).write_text(json.dumps({"address": address, "job": job}))
    try:
        _ray(address, "submit", *options, "--", *words)
    except PipelineError:
        _forget(run)
        raise


def stop(run: RunDirectory) -> bool:
    """Stop the job that the run was last submitted as; whether there was one."""
    last = _last(run)
    if last is None:
        return False
    waited = awaited(run) is not None
    _ray(last["address"], "stop", "--no-wait", last["job"])
    if waited:
        _forget(run)
    return True


def awaited(run: RunDirectory) -> str | None:
    """Address of the cluster that the run was submitted to and that has not begun with it; None where there is none.

    What holds a run writes its lock, so that a job that has begun has a lock younger than its submission.
    """
    last = _last(run)
    asked, begun = (_changed(run.path / name) for name in (_LAST, ".lock"))
    return None if last is None or asked is None or (begun or 0) > asked else last["address"]


def look_after(run: RunDirectory, every_s: float = 0.0) -> None:
    """Ask the cluster whether a job that is awaited is over; if so it is not awaited any more, and the run says why.

    Not more often than `every_s` by this process, as an answer takes a second. A cluster that does not answer changes
    nothing.
    """
    last = _last(run)
    if last is None or awaited(run) is None or time.monotonic() - _asked.get(last["job"], -math.inf) < every_s:
        return
    _asked[last["job"]] = time.monotonic()
    try:
        said = _ray(last["address"], "status", last["job"])
    except PipelineError:
        return
    over = [how for how in ("failed", "was stopped", "succeeded") if f"Job '{last['job']}' {how}" in said]
    if over and awaited(run) is not None:
        if over != ["succeeded"] and run.error() is None:
            lines = [line.strip() for line in said.splitlines() if line.strip()]
            run.write_error(f"Ray job {last['job']}: {lines[-1]}")
        _forget(run)


_asked: dict[str, float] = {}
"""When this process last asked about a job."""


def _changed(path: Path) -> int | None:
    """When a file was changed, in nanoseconds; None where there is none, as when another process has removed it."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _forget(run: RunDirectory) -> None:
    with told(run.path):
        (run.path / _LAST).unlink(missing_ok=True)


def _last(run: RunDirectory) -> dict[str, str] | None:
    try:
        return dict(json.loads((run.path / _LAST).read_text()))
    except (OSError, ValueError):
        return None


def _ray(address: str, verb: str, *arguments: str) -> str:
    """What Ray's command line says."""
    command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "job", verb, "--address", address, *arguments]
    try:
        done = subprocess.run(
            command,
            env={"RAY_USAGE_STATS_ENABLED": "0", **os.environ, "RAY_LOG_TO_STDERR": "0"},
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise PipelineError(f"Ray at {address} did not answer in {_LIMIT_S:.0f} s: is {CLUSTER} right?") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise PipelineError(f"Ray at {address} refused `ray job {verb}` ({lines[-1]:.300}): is {CLUSTER} right?")
    return done.stdout + done.stderr
