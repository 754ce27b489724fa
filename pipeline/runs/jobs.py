"""Runs as background jobs: start one, see how it stands, stop it, go on. All that the dashboard knows of the pipeline.

Where `RIGHTTREE_READ_ONLY` is set, everything that changes the data folder is refused here, whatever a page offers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import polars as pl

from pipeline import runs
from pipeline.backends.openrlhf.launch import require_engine
from pipeline.backends.ray import submitted
from pipeline.backends.ray.options import HERE, EngineOptions
from pipeline.config import Config, changes, profile_names
from pipeline.config.changes import Settings
from pipeline.cost import estimate as estimates
from pipeline.cost.estimate import Estimate
from pipeline.errors import InvalidSetting, PipelineError, ReadOnly, UnknownRun
from pipeline.models.installed import require_pipeline, require_sampler
from pipeline.runs import RunDirectory, exchange, locks, workers
from pipeline.runs import extend as extend_run
from pipeline.runs import retry as retries
from pipeline.runs.delete import delete as delete_run
from pipeline.runs.exchange import MOST_BYTES, Imported
from pipeline.runs.live_curve import FOLDER, read_points
from pipeline.stages import STAGES

__all__ = [
    "MOST_BYTES",
    "Estimate",
    "Imported",
    "InvalidSetting",
    "PipelineError",
    "ReadOnly",
    "RunStatus",
    "Settings",
    "StageProgress",
]

READ_ONLY = "RIGHTTREE_READ_ONLY"
"""Environment variable; set to anything but 0, jobs are only looked at."""

State = Literal["running", "waiting", "finished", "interrupted", "failed", "unreadable"]


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
class ClusterAnswer:
    """What a cluster last said of a job, as `PENDING`, and when: UTC, ISO 8601."""

    state: str
    asked_at: str


@dataclass(frozen=True)
class RunStatus:
    """The state of a run.

    `waiting`: a process holds it until another run, `waits_for`, is no longer executing, or a cluster, at the address
    `submitted_to`, has not begun with it; `cluster_said` is what the cluster last answered and when, None if it has not
    answered yet. `interrupted`: nobody works on it, `resume` continues it; `failed`: the same, and `error` says why.
    `unreadable`: a file of it is damaged or of a newer version; `error` says which and what to do.
    """

    run_id: str
    profile: str
    state: State
    started_at: str
    updated_at: str
    wall_s: float
    error: str | None
    stages: tuple[StageProgress, ...]
    published: bool
    waits_for: str | None = None
    submitted_to: str | None = None
    cluster_said: ClusterAnswer | None = None
    extends: str | None = None


def list_runs(data: Path) -> list[RunStatus]:
    """All runs in the data folder, the newest first. Reads files only: no page waits for a network or a process."""
    listed = []
    for run_id in runs.run_ids(data):
        with suppress(UnknownRun):  # deleted meanwhile
            listed.append(status(data, run_id))
    return listed


def status(data: Path, run_id: str) -> RunStatus:
    """The state of one run; what is wrong with it is part of that. Raises UnknownRun."""
    path = runs.run_path(data, run_id)
    try:
        return _status(runs.open_run(data, run_id))
    except UnknownRun:
        raise
    except (PipelineError, OSError) as error:
        return RunStatus(
            run_id=run_id,
            profile="unknown",
            state="unreadable",
            started_at="",
            updated_at="",
            wall_s=0.0,
            error=str(error) if isinstance(error, PipelineError) else f"run {run_id}: {path} cannot be read ({error})",
            stages=(),
            published=False,
        )


def _status(run: RunDirectory) -> RunStatus:
    submitted.ask_in_background(run)
    waits_for, submitted_to = run.waits_for, submitted.awaited(run)
    answer = submitted.last_answer(run) if submitted_to else None
    running = run.is_running and waits_for is None
    progress = run.progress()
    shown = {stage["name"]: stage for stage in progress.get("stages", [])}
    stages = []
    for name in STAGES:
        stage = _stage(name, shown.get(name, {}))
        stages.append(stage if running or stage.state != "running" else _stopped(stage))
    error = run.error()
    run.manifest()  # whoever is told that the run is readable may read it
    published = run.is_done("publish") and not retries.is_asked(run)
    state: State = "finished" if published else "failed" if error else "interrupted"
    if running or waits_for or submitted_to:
        state = "running" if running else "waiting"
    created = runs.created_at(run.path)
    return RunStatus(
        run_id=run.run_id,
        profile=run.config.profile,
        state=state,
        started_at=created,
        updated_at=progress.get("updated_at", created),
        wall_s=sum(stage.wall_s for stage in stages),
        error=error,
        stages=tuple(stages),
        published=published,
        waits_for=waits_for,
        submitted_to=submitted_to,
        cluster_said=ClusterAnswer(answer["state"], answer["asked_at"]) if answer else None,
        extends=run.config.extends[-1].run_id if run.config.extends else None,
    )


def refresh(data: Path) -> None:
    """Ask the clusters that runs were submitted to how their jobs are; takes seconds where one does not answer."""
    for run in list_runs(data):
        if run.submitted_to is not None:
            submitted.ask(runs.open_run(data, run.run_id))


def log_tail(data: Path, run_id: str, lines: int = 40) -> str:
    """The last lines of the run's log; of what its process printed, if it ended before it kept one."""
    folder = runs.run_path(data, run_id)
    for path in (folder / "log.txt", folder / workers.CONSOLE):
        try:
            with path.open("rb") as log:
                log.seek(max(0, path.stat().st_size - 400 * lines))
                found = "\n".join(log.read().decode("utf-8", errors="replace").splitlines()[-lines:])
        except OSError:
            continue
        if found:
            return found
    return ""


def live_curves(data: Path, run_id: str) -> pl.DataFrame:
    """Training curves that are growing: `model_id, metric, step, value`, in the order in which they were begun."""
    folder = runs.open_run(data, run_id).work_path(FOLDER)
    files = sorted(folder.glob("[!.]*.jsonl"), key=_changed_at) if folder.is_dir() else []
    curves = [read_points("")]
    for file in files:
        with suppress(OSError, ValueError, TypeError, pl.exceptions.PolarsError):  # it ended, or is damaged
            curves.append(read_points(file.read_text()))
    return pl.concat(curves)


def manifest(data: Path, run_id: str) -> dict[str, Any] | None:
    """The manifest of a finished run; None while there is none. Raises DamagedRun."""
    return runs.open_run(data, run_id).manifest()


def at_work(data: Path) -> str | None:
    """Id of the run that is at work in the data folder; None if none is."""
    return locks.whose(runs.runs_folder(data))


def is_read_only() -> bool:
    """Whether this process refuses to start, extend, resume, retry, cancel, delete and import."""
    return os.environ.get(READ_ONLY, "0") not in ("", "0")


def profiles() -> list[str]:
    """Names of the profiles that a run can be started from."""
    return profile_names()


def profile_about(profile: str) -> str:
    """What a profile is for, in a sentence or two."""
    return changes.about(profile)


def profile_settings(profile: str) -> Settings:
    """A profile's values of the settings that `configured` changes."""
    return changes.of_profile(profile)


def run_settings(data: Path, run_id: str) -> Settings:
    """A run's values of the same settings. Raises UnknownRun or DamagedRun."""
    return changes.of(runs.open_run(data, run_id).config)


def configured(profile: str, changed: Mapping[str, Any]) -> Config:
    """A profile with some settings changed. Raises InvalidSetting, in one line, for the first that is wrong."""
    return changes.configured(profile, changed)


def start(data: Path, config: Config) -> str:
    """Make a run and work on it in a process of its own, which outlives this one. Returns the run's id.

    One run at a time works in a data folder: the process waits for the one at work, if there is one. Raises ReadOnly,
    and ModelUnavailable where the extra `pipeline`, the settings' sampler or OpenRLHF is not installed.
    """
    _check_can_work("a run cannot be started")
    require_sampler(config.policy.sampler)
    require_engine(config)
    run = runs.create(data, config)
    workers.start(data, run)
    return run.run_id


def extended(data: Path, run_id: str, additions: Mapping[str, Any]) -> Config:
    """The settings of a run with additions, as `extend` has them. Raises InvalidSetting for a wrong one."""
    return extend_run.extended(data, run_id, additions)


def extend(data: Path, run_id: str, additions: Mapping[str, Any]) -> str:
    """Make a run that extends another one and work on it as `start` does. Returns its id.

    Raises InvalidSetting, UnknownRun, RunBusy, ReadOnly, ModelUnavailable.
    """
    _check_can_work("a run cannot be extended")
    run = extend_run.create(data, run_id, additions)
    workers.start(data, run)
    return run.run_id


def resume(data: Path, run_id: str, engine: EngineOptions = HERE) -> None:
    """Resume a stopped run as `start` does. Raises UnknownRun, RunBusy, ReadOnly, ModelUnavailable."""
    _check_can_work("a run cannot be resumed")
    workers.start(data, runs.open_run(data, run_id), engine)


def retry(data: Path, run_id: str, engine: EngineOptions = HERE) -> list[str]:
    """Have the policies of a run that could not be trained made again, as `resume` does. Returns their ids.

    Raises UnknownRun, RunBusy, ReadOnly, ModelUnavailable, and PipelineError for a run of which none has failed.
    """
    _check_can_work("policies cannot be made again")
    run = runs.open_run(data, run_id)
    again = retries.ask(run)
    if not again:
        raise PipelineError(retries.nothing(run))
    workers.start(data, run, engine)
    return again


def failed_policies(data: Path, run_id: str) -> list[str]:
    """Ids of the policies that could not be trained, which `retry` makes again. Raises UnknownRun, DamagedRun."""
    return retries.failed(runs.open_run(data, run_id))


def cancel(data: Path, run_id: str, patience_s: float = 10.0) -> None:
    """Stop a run that is at work, waits or was submitted; what it has made stays, and `resume` goes on from there.

    It is asked to end, and after `patience_s` seconds made to. Raises UnknownRun, ReadOnly, and PipelineError for a run
    that nobody works on.
    """
    _check_allowed("a run cannot be cancelled")
    run = runs.open_run(data, run_id)
    if not run.is_running and submitted.awaited(run) is None:
        raise PipelineError(f"run {run_id} is not at work: it is {status(data, run_id).state}; see `righttree runs`")
    workers.stop(run, patience_s)


def delete(data: Path, run_id: str) -> None:
    """Delete a run for good, from the data folder and from the warehouse, which is published anew without it.

    Raises ReadOnly, UnknownRun, and RunBusy for a run that is at work.
    """
    _check_allowed("a run cannot be deleted")
    delete_run(data, run_id)


def estimate(data: Path, config: Config) -> Estimate:
    """What a new run of these settings will need, estimated from finished ones."""
    return estimates.estimate(data, config)


def estimate_extension(data: Path, run_id: str, config: Config) -> Estimate:
    """What extending a run to these settings will need: only what it lacks."""
    return estimates.of_extension(data, run_id, config)


def import_uploads(data: Path, files: Sequence[tuple[str, bytes]], run_id: str | None = None) -> Imported:
    """Publish uploaded files (name, content) as a run of their own, the way `righttree import` does.

    Raises ReadOnly, InvalidUpload for a name or size that is refused, and what the reader of the files finds wrong.
    """
    _check_allowed("files cannot be imported")
    return exchange.import_uploads(data, files, run_id)


def _check_allowed(what: str) -> None:
    if is_read_only():
        raise ReadOnly(f"{what}: this server only reads ({READ_ONLY} is set); unset it where jobs may be run")


def _check_can_work(what: str) -> None:
    """What makes a run needs the extra `pipeline`, unless a cluster makes it."""
    _check_allowed(what)
    if submitted.cluster() is None:
        require_pipeline()


def stopped(data: Path, config: Config) -> str | None:
    """Id of the newest run with just these settings that was begun, is not finished, and that nobody works on."""
    for run in list_runs(data):
        if run.state in ("interrupted", "failed") and runs.open_run(data, run.run_id).config == config:
            return run.run_id
    return None


def ensure(data: Path, config: Config) -> str:
    """See to it that a run of this profile is finished, under way, taken up again or begun. Says which, in a line."""
    for run in list_runs(data):
        if run.state == "unreadable" or runs.open_run(data, run.run_id).config != config:
            continue
        if run.state in ("interrupted", "failed"):
            resume(data, run.run_id)
            return f"{run.run_id} goes on in the background"
        return f"{run.run_id} is {run.state}"
    return f"{start(data, config)} is working in the background"


def _stage(name: str, record: Mapping[str, Any]) -> StageProgress:
    """A stage as its record says; one without a record is pending."""
    return StageProgress(
        name=name,
        state=record.get("state", "pending"),
        done=record.get("done", 0),
        total=record.get("total", 0),
        unit=record.get("unit", ""),
        rate_per_s=record.get("rate_per_s"),
        eta_s=record.get("eta_s"),
        wall_s=record.get("wall_s", 0.0),
    )


def _changed_at(path: Path) -> float:
    """0 for a file that is gone by now."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _stopped(stage: StageProgress) -> StageProgress:
    """A stage that a dead process left in the middle."""
    return replace(stage, state="pending", rate_per_s=None, eta_s=None)
