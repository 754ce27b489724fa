"""Runs as background jobs: start one, see how each stands. All that the dashboard knows of the pipeline."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from pipeline import runs
from pipeline.config import Config
from pipeline.errors import PipelineError
from pipeline.flow import STAGES
from pipeline.live_curve import FOLDER, read_points

State = Literal["running", "finished", "interrupted", "failed"]


@dataclass(frozen=True)
class StageProgress:
    """How far a stage is; rates count units per second of the present attempt."""

    name: str
    state: Literal["pending", "running", "done"]
    done: int
    total: int
    unit: str
    rate_per_s: float | None
    eta_s: float | None
    wall_s: float


@dataclass(frozen=True)
class RunStatus:
    """How a run stands. `interrupted`: nobody works on it, `righttree resume` takes it up; `failed`: it says why."""

    run_id: str
    profile: str
    state: State
    started_at: str
    updated_at: str
    wall_s: float
    error: str | None
    stages: tuple[StageProgress, ...]
    published: bool


def list_runs(data: Path) -> list[RunStatus]:
    """All runs in the data folder, the newest first; a run directory that cannot be read is left out."""
    found = []
    for run_id in runs.run_ids(data):
        try:
            found.append(status(data, run_id))
        except PipelineError:
            continue
    return found


def status(data: Path, run_id: str) -> RunStatus:
    """How one run stands. Raises UnknownRun or DamagedRun."""
    run = runs.open_run(data, run_id)
    running = run.is_running
    progress = run.progress()
    shown = {stage["name"]: stage for stage in progress.get("stages", [])}
    stages = []
    for name in STAGES:
        stage = StageProgress(**{**_BLANK, "name": name, **shown.get(name, {})})
        stages.append(stage if running or stage.state != "running" else _stopped(stage))
    error = run.error()
    published = run.is_done("publish")
    state: State = "running" if running else "finished" if published else "failed" if error else "interrupted"
    created = runs.created_at(run.path)
    return RunStatus(
        run_id=run_id,
        profile=run.config.profile,
        state=state,
        started_at=created,
        updated_at=progress.get("updated_at", created),
        wall_s=sum(stage.wall_s for stage in stages),
        error=error,
        stages=tuple(stages),
        published=published,
    )


def log_tail(data: Path, run_id: str, lines: int = 40) -> str:
    """The last lines of the run's log."""
    path = runs.open_run(data, run_id).path / "log.txt"
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 400 * lines))
            return "\n".join(log.read().decode("utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def live_curves(data: Path, run_id: str) -> pl.DataFrame:
    """Training curves that are growing: `model_id, metric, step, value`, in the order in which they were begun."""
    folder = runs.open_run(data, run_id).work(FOLDER)
    files = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime) if folder.is_dir() else []
    return pl.concat([read_points(""), *(read_points(path.read_text()) for path in files)])


def manifest(data: Path, run_id: str) -> dict[str, Any] | None:
    """The manifest of a finished run; None while there is none."""
    return runs.open_run(data, run_id).manifest()


def start(data: Path, config: Config) -> str:
    """Make a run and work on it in a process of its own, which outlives this one. Returns the run's id."""
    run = runs.create(data, config)
    _spawn(data, run.run_id)
    return run.run_id


def resume(data: Path, run_id: str) -> None:
    """Take up a stopped run in a process of its own. Raises UnknownRun."""
    _spawn(data, runs.open_run(data, run_id).run_id)


def stopped(data: Path, config: Config) -> str | None:
    """Id of the newest run with just these settings that was begun, is not finished, and that nobody works on."""
    for run in list_runs(data):
        if run.state in ("interrupted", "failed") and runs.open_run(data, run.run_id).config == config:
            return run.run_id
    return None


def ensure(data: Path, config: Config) -> str:
    """See to it that a run of this profile is finished, under way, taken up again or begun. Says which, in a line."""
    for run in list_runs(data):
        if runs.open_run(data, run.run_id).config != config:
            continue
        if run.state in ("interrupted", "failed"):
            resume(data, run.run_id)
            return f"{run.run_id} goes on in the background"
        return f"{run.run_id} is {run.state}"
    return f"{start(data, config)} is working in the background"


def _spawn(data: Path, run_id: str) -> None:
    with (runs.open_run(data, run_id).path / "console.txt").open("ab") as console:
        subprocess.Popen(
            [sys.executable, "-P", "-m", "pipeline", "resume", run_id],
            env={**os.environ, "RIGHTTREE_HOME": str(data)},
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


_BLANK: dict[str, Any] = {
    "state": "pending",
    "done": 0,
    "total": 0,
    "unit": "",
    "rate_per_s": None,
    "eta_s": None,
    "wall_s": 0.0,
}


def _stopped(stage: StageProgress) -> StageProgress:
    """A stage that a dead process left in the middle."""
    return StageProgress(**{**stage.__dict__, "state": "pending", "rate_per_s": None, "eta_s": None})
