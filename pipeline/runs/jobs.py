"""Runs as background jobs: start, watch, stop, resume. This is all that the dashboard knows of the pipeline.

If `RIGHTTREE_READ_ONLY` is set, everything that changes the data folder is refused here, whatever a page offers.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import polars as pl

from pipeline import runs
from pipeline.backends.openrlhf.launch import require_engine
from pipeline.backends.ray import submitted
from pipeline.backends.ray.options import HERE, EngineOptions
from pipeline.config import Config, changes
from pipeline.config import profile_names as profiles
from pipeline.config.changes import Settings, configured
from pipeline.config.changes import about as profile_about
from pipeline.config.changes import of_profile as profile_settings
from pipeline.cost.estimate import Estimate, estimate
from pipeline.cost.estimate import of_extension as estimate_extension
from pipeline.errors import InvalidSetting, PipelineError, ReadOnly, UnknownRun
from pipeline.models.installed import require_pipeline, require_sampler
from pipeline.runs import RunDirectory, ensembles, exchange, locks, published_runs, results, workers
from pipeline.runs import extend as extensions
from pipeline.runs import retry as retries
from pipeline.runs.derived import Derived
from pipeline.runs.exchange import Imported
from pipeline.runs.extend import extended
from pipeline.runs.live_curve import FOLDER, read_points
from pipeline.runs.records import RayAnswer, StageProgress
from pipeline.stages import STAGES
from pipeline.uploads import upload
from pipeline.uploads.upload import MOST_BYTES
from warehouse import ingest, labels
from warehouse.exchange import Choices, ColumnMap

__all__ = ["MOST_BYTES", "Estimate", "InvalidSetting", "configured", "estimate", "estimate_extension", "extended"]
__all__ += ["Derived", "profile_about", "profile_settings", "profiles"]  # what the app uses as it is

READ_ONLY = "RIGHTTREE_READ_ONLY"
"""Environment variable; anything but 0 refuses all changes."""

PUBLISHED = "published"
"""State of a run whose results can be explored."""

State = Literal["running", "waiting", "finished", "interrupted", "failed", "unreadable"]


@dataclass(frozen=True)
class RunStatus:
    """The state of a run.

    `waiting`: a process holds it until another run, `waits_for`, has ended, or the cluster at the address
    `submitted_to` has not started it; `cluster_answer` is the cluster's last answer, None if it has not answered yet.
    `interrupted`: nobody works on it and `resume` continues it; `failed`: the same, and `error` says why it stopped.
    `unreadable`: one of its files is damaged or of a newer version; `error` says which and what to do.
    """

    run_id: str
    profile: str
    state: State
    started_at: str = ""
    updated_at: str = ""
    wall_s: float = 0.0
    error: str | None = None
    stages: tuple[StageProgress, ...] = ()
    published: bool = False
    waits_for: str | None = None
    submitted_to: str | None = None
    cluster_answer: RayAnswer | None = None
    extends: str | None = None


def list_runs(data: Path) -> list[RunStatus]:
    """All runs in the data folder, the newest first. Reads files only: no page waits for a network or a process."""
    listed = []
    for run_id in runs.run_ids(data):
        with suppress(UnknownRun):  # deleted in the meantime
            listed.append(status(data, run_id))
    return listed


def status(data: Path, run_id: str) -> RunStatus:
    """The state of one run, including what is wrong with it. Raises UnknownRun."""
    path = runs.run_path(data, run_id)
    try:
        return _status(runs.open_run(data, run_id))
    except UnknownRun:
        raise
    except (PipelineError, OSError) as error:
        reason = str(error) if isinstance(error, PipelineError) else f"run {run_id}: {path} cannot be read ({error})"
        return RunStatus(run_id, "unknown", "unreadable", error=reason)


def _status(run: RunDirectory) -> RunStatus:
    submitted.ask_in_background(run)
    waits_for, submitted_to = run.waits_for, submitted.awaited(run)
    running = run.is_running and waits_for is None
    progress = run.progress()
    reported = {stage.name: stage for stage in progress.stages}
    stages = [reported.get(name, StageProgress(name)) for name in STAGES]
    if not running:  # a process that died leaves its stage as running
        stages = [
            replace(stage, state="pending", rate_per_s=None, eta_s=None) if stage.state == "running" else stage
            for stage in stages
        ]
    error = run.error()
    run.manifest()  # raises if it is damaged: a run with a damaged manifest is unreadable
    published = run.is_done("publish") and not retries.is_requested(run)
    state: State = "finished" if published else "failed" if error else "interrupted"
    if running or waits_for or submitted_to:
        state = "running" if running else "waiting"
    created = runs.created_at(run.path)
    return RunStatus(
        run_id=run.run_id,
        profile=run.config.profile,
        state=state,
        started_at=created,
        updated_at=progress.updated_at or created,
        wall_s=sum(stage.wall_s for stage in stages),
        error=error,
        stages=tuple(stages),
        published=published,
        waits_for=waits_for,
        submitted_to=submitted_to,
        cluster_answer=submitted.last_answer(run) if submitted_to else None,
        extends=run.config.extends[-1].run_id if run.config.extends else None,
    )


def refresh(data: Path) -> None:
    """Ask clusters about the runs that were submitted to them; takes seconds if one does not answer."""
    for run in list_runs(data):
        if run.submitted_to is not None:
            submitted.ask(runs.open_run(data, run.run_id))


def shown_state(run: RunStatus, published: Collection[str]) -> str:
    """The state as people read it: `published` is every run that can be explored, whichever way it came here."""
    return PUBLISHED if run.state == "finished" and run.run_id in published else run.state


def log_tail(data: Path, run_id: str, lines: int = 40) -> str:
    """The last lines of the run's log, or of its process's output if the process ended before it wrote a log."""
    folder = runs.run_path(data, run_id)
    for path in (folder / "log.txt", folder / workers.CONSOLE):
        try:
            with path.open("rb") as log:
                log.seek(max(0, path.stat().st_size - 400 * lines))
                tail = "\n".join(log.read().decode("utf-8", errors="replace").splitlines()[-lines:])
        except OSError:
            continue
        if tail:
            return tail
    return ""


def live_curves(data: Path, run_id: str) -> pl.DataFrame:
    """Training curves that are growing: `model_id, metric, step, value`, in the order in which they were started."""
    folder = runs.open_run(data, run_id).work_path(FOLDER)
    files = sorted(folder.glob("[!.]*.jsonl"), key=_changed_at) if folder.is_dir() else []
    curves = [read_points("")]
    for file in files:
        with suppress(OSError, ValueError, TypeError, pl.exceptions.PolarsError):  # it has just ended, or is damaged
            curves.append(read_points(file.read_text()))
    return pl.concat(curves)


def _changed_at(path: Path) -> float:
    """0 for a file that has been removed."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def manifest(data: Path, run_id: str) -> dict[str, Any] | None:
    """The manifest of a finished run; None while there is none. Raises DamagedRun."""
    return runs.open_run(data, run_id).manifest()


def executing(data: Path) -> str | None:
    """Id of the run that is executing in the data folder; None if none is."""
    return locks.executing(runs.runs_folder(data))


def is_read_only() -> bool:
    """Whether this process refuses to start, extend, resume, retry, cancel, delete and import."""
    return os.environ.get(READ_ONLY, "0") not in ("", "0")


def run_settings(data: Path, run_id: str) -> Settings:
    """A run's values of the settings that `configured` changes. Raises UnknownRun or DamagedRun."""
    return changes.of(runs.open_run(data, run_id).config)


def start(data: Path, config: Config) -> str:
    """Create a run and work on it in a process that outlives this one. Returns the run's id.

    Only one run executes per data folder: the process waits for the others. Raises ReadOnly, and ModelUnavailable if
    the extra `pipeline`, the settings' sampler or OpenRLHF is not installed.
    """
    _check_can_work("a run cannot be started")
    require_sampler(config.policy.sampler)
    require_engine(config)
    run = runs.create(data, config)
    workers.start(data, run)
    return run.run_id


def extend(data: Path, run_id: str, additions: Mapping[str, Any]) -> str:
    """Create a run that extends another one and work on it as `start` does. Returns its id.

    Raises InvalidSetting, UnknownRun, RunBusy, ReadOnly, ModelUnavailable.
    """
    _check_allowed("a run cannot be extended")
    runs.open_run(data, run_id)  # raises for a run that has results only, before anything is asked to be installed
    _check_can_work("a run cannot be extended")
    run = extensions.create(data, run_id, additions)
    workers.start(data, run)
    return run.run_id


def resume(data: Path, run_id: str, engine: EngineOptions = HERE) -> None:
    """Resume a stopped run as `start` does. Raises UnknownRun, RunBusy, ReadOnly, ModelUnavailable."""
    _check_allowed("a run cannot be resumed")
    run = runs.open_run(data, run_id)
    _check_can_work("a run cannot be resumed")
    workers.start(data, run, engine)


def retry(data: Path, run_id: str, engine: EngineOptions = HERE) -> list[str]:
    """Train the policies of a run that failed again, as `resume` does. Returns their ids.

    Raises UnknownRun, RunBusy, ReadOnly, ModelUnavailable, and PipelineError if none failed.
    """
    _check_allowed("policies cannot be trained again")
    run = runs.open_run(data, run_id)
    _check_can_work("policies cannot be trained again")
    policies = retries.request(run)
    if not policies:
        raise PipelineError(retries.why_nothing(run))
    workers.start(data, run, engine)
    return policies


def failed_policies(data: Path, run_id: str) -> list[str]:
    """Ids of the policies that could not be trained, which `retry` trains again. Raises UnknownRun, DamagedRun."""
    return retries.failed(runs.open_run(data, run_id))


def cancel(data: Path, run_id: str, patience_s: float = 10.0) -> None:
    """Stop a run that is running, waiting or submitted; everything computed stays, and `resume` continues from there.

    Its process is killed if it has not ended after `patience_s` seconds. Raises UnknownRun, ReadOnly, and PipelineError
    for a run that nobody works on.
    """
    _check_allowed("a run cannot be cancelled")
    run = runs.open_run(data, run_id)
    if not run.is_running and submitted.awaited(run) is None:
        raise PipelineError(f"run {run_id} is not running: it is {status(data, run_id).state}; see `righttree runs`")
    workers.stop(run, patience_s)


def delete(data: Path, run_id: str) -> None:
    """Delete a run permanently: first from the warehouse, by a new build without it, then its directory, if it has one.

    A kill in between leaves a run that can be deleted again. The run is held all the time, so that nobody resumes or
    publishes it meanwhile. Runs that extend it keep what they reused; readers keep the build that they opened.

    Raises ReadOnly, UnknownRun, RunBusy for a run that is running or waiting, and WarehouseError if the warehouse
    cannot be read: then nothing is deleted.
    """
    _check_allowed("a run cannot be deleted")
    if run_id in runs.run_ids(data) or run_id in results.run_ids(data):
        path = runs.runs_folder(data) / run_id
        with locks.hold(path):
            if run_id in published_runs(data):
                ingest.remove(data, run_id)
            runs.remove(path)
    elif run_id in published_runs(data):
        ingest.remove(data, run_id)
    else:
        raise UnknownRun(f"no run {run_id!r} in {data}; `righttree runs` lists the existing ones")
    exchange.left_out_file(data, run_id).unlink(missing_ok=True)
    labels.forget(data, run_id)


def restore(data: Path) -> Imported | None:
    """Publish the recorded run again, as `righttree restore` does; None if it is there. Raises ReadOnly."""
    _check_allowed("the recorded run cannot be restored")
    return exchange.restore_recorded(data)


def label(data: Path, run_id: str, *, name: str | None = None, note: str | None = None) -> labels.Label:
    """Set the name and the note of a run (None: as it is, empty: none). Raises ReadOnly, UnknownRun, InvalidChoice."""
    _check_allowed("a run cannot be named")
    _check_known(data, run_id)
    return labels.change(data, run_id, name=name, note=note)


def pin(data: Path, run_id: str | None) -> None:
    """Show and measure this run where none is named; None: the recorded one again. Raises ReadOnly, UnknownRun."""
    _check_allowed("a run cannot be pinned")
    if run_id is not None:
        _check_known(data, run_id)
    labels.pin(data, run_id)


def _check_known(data: Path, run_id: str) -> None:
    if run_id not in {*runs.run_ids(data), *results.run_ids(data), *published_runs(data)}:
        raise UnknownRun(f"no run {run_id!r} in {data}; `righttree runs` lists the existing ones")


def import_uploads(
    data: Path,
    files: Sequence[tuple[str, bytes]],
    run_id: str | None = None,
    choices: Choices | None = None,
    *,
    columns: ColumnMap | None = None,
) -> Imported:
    """Publish uploaded files (name, content) as a run, as `righttree import` does; `columns` says what columns are.

    They are read in a process of their own. Raises ReadOnly, InvalidUpload for a name or size that is refused or for
    files that take too much memory or time, and what the reader of the files finds wrong.
    """
    _check_allowed("files cannot be imported")
    return upload.import_uploads(data, files, run_id, choices, columns=columns)


def ensemble(
    data: Path,
    run_id: str,
    members: Sequence[str],
    how: str,
    *,
    weight: float = 1.0,
    name: str | None = None,
    role: str | None = None,
) -> Derived:
    """Publish a new run with an ensemble of a run's scorers, as `righttree ensemble` does.

    Raises ReadOnly, and what is wrong with the members.
    """
    _check_allowed("an ensemble cannot be made")
    return ensembles.ensemble(data, run_id, members, how, weight=weight, name=name, role=role)


def first_rows(data: Path, files: Sequence[tuple[str, bytes]], rows: int) -> dict[str, pl.DataFrame]:
    """The first rows of each uploaded file, by name; none of an exported run. Raises what `import_uploads` raises."""
    _check_allowed("files cannot be imported")
    return upload.first_rows(data, files, rows)


def stopped(data: Path, config: Config) -> str | None:
    """Id of the newest stopped run with exactly these settings; None if there is none."""
    for run in list_runs(data):
        if run.state in ("interrupted", "failed") and runs.open_run(data, run.run_id).config == config:
            return run.run_id
    return None


def ensure(data: Path, config: Config) -> str:
    """Start a run with these settings, or resume one, unless one is running or finished. Says in a line which."""
    for run in list_runs(data):
        if run.state == "unreadable" or runs.open_run(data, run.run_id).config != config:
            continue
        if run.state in ("interrupted", "failed"):
            resume(data, run.run_id)
            return f"{run.run_id} resumes in the background"
        return f"{run.run_id} is {run.state}"
    return f"{start(data, config)} runs in the background"


def _check_allowed(refusal: str) -> None:
    if is_read_only():
        raise ReadOnly(f"{refusal}: this server is read-only ({READ_ONLY} is set); unset it where runs may be started")


def _check_can_work(refusal: str) -> None:
    """Running needs the extra `pipeline`, unless a cluster does it."""
    _check_allowed(refusal)
    if submitted.cluster() is None:
        require_pipeline()
