"""Runs that a cluster works on as Ray jobs, where the environment of this process says so and never a page's input.

Where `RIGHTTREE_RAY_JOBS` is the address of a cluster's dashboard, everything that would be started in the background
here, from the Runs page or by `--detach`, is submitted there: `righttree resume RUN --engine ray`, on the head node.
The data folder has to be at the same path there. Ray's own command line does it, as an argument list.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
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
    _ray(address, "submit", *options, "--", *words)
    with told(run.path):
        (run.path / _LAST).write_text(json.dumps({"address": address, "job": job}))


def stop(run: RunDirectory) -> bool:
    """Stop the job that the run was last submitted as; whether there was one."""
    last = _last(run)
    if last is None:
        return False
    _ray(last["address"], "stop", "--no-wait", last["job"])
    return True


def why_ended(run: RunDirectory) -> str | None:
    """Why the job that the run was last submitted as is over, in a line; None while it is not."""
    last = _last(run)
    if last is None:
        return None
    said = _ray(last["address"], "status", last["job"])
    if not any(f"Job '{last['job']}' {ended}" in said for ended in ("failed", "was stopped")):
        return None
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"Ray job {last['job']}: {lines[-1]}"


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
