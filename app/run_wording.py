"""The sentences a page says about runs of the pipeline. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from app import formats
from app.formats import escape, number
from pipeline.jobs import RunStatus, StageProgress

STAGE_TITLES: Mapping[str, str] = {
    "prompts": "Prompts",
    "train_responses": "Training responses",
    "preferences": "Preference pairs",
    "features": "Trunk features",
    "reward_models": "Reward models",
    "test_responses": "Test responses",
    "scores": "Scores",
    "best_of_n": "Best-of-n values",
    "publish": "Publish",
}

_COMMIT_LETTERS = 40


def stage(name: str) -> str:
    """Title of a pipeline stage."""
    return STAGE_TITLES.get(name, name.replace("_", " ").capitalize())


def share(stage: StageProgress) -> float:
    """How much of a stage is done, 0 to 1."""
    if stage.state == "done":
        return 1.0
    return min(1.0, stage.done / stage.total) if stage.total else 0.0


def share_of_run(run: RunStatus) -> float:
    """How many of a run's stages are done, the present one counted by its share; not a forecast of time."""
    return sum(share(stage) for stage in run.stages) / max(1, len(run.stages))


def stage_progress(stage: StageProgress) -> str:
    """How far a running stage is: `320 of 960 responses · 12.3 per s · 52 s left`."""
    parts = [f"{stage.done:,} of {stage.total:,} {escape(stage.unit)}" if stage.total else "starting"]
    if stage.rate_per_s:
        parts.append(f"{number(stage.rate_per_s, 1)} per s")
    if stage.eta_s is not None:
        parts.append(f"{formats.duration(stage.eta_s)} left")
    return " · ".join(parts)


def stage_done(stage: StageProgress) -> str:
    """What a finished stage did: `960 responses in 41 s`."""
    return f"{stage.done:,} {escape(stage.unit)} in {formats.duration(stage.wall_s)}"


def stage_stopped(stage: StageProgress) -> str:
    """How far a stage was when its run stopped: `320 of 960 responses, stopped`."""
    return f"{stage.done:,} of {stage.total:,} {escape(stage.unit)}, stopped"


def at_work(run: RunStatus) -> str:
    """The stage a run is at: `Scores: 12 of 40 prompts · 8 s left`."""
    for running in run.stages:
        if running.state == "running":
            return f"{stage(running.name)}: {stage_progress(running)}"
    return "between two stages"


def run_line(run: RunStatus) -> str:
    """Profile, start and duration of a run; a finished run that is not in the warehouse says so."""
    parts = [f"profile {escape(run.profile)}", f"started {formats.when(run.started_at)}"]
    if run.wall_s:
        parts.append(f"{formats.duration(run.wall_s)} of work")
    if run.state == "finished" and not run.published:
        parts.append("not published")
    return " · ".join(parts)


def manifest_line(manifest: Mapping[str, Any]) -> str:
    """What made a run: code, seed, end, and the most memory it held."""
    peak = max((facts.get("peak_resident_bytes", 0) for facts in manifest.get("stages", {}).values()), default=0)
    parts = [
        f"code {escape(_short(str(manifest.get('code_version', 'unknown'))))}",
        f"seed {manifest.get('config', {}).get('seed', 'unknown')}",
        f"finished {formats.when(str(manifest.get('finished_at', '')))}",
        f"{formats.duration(float(manifest.get('wall_s', 0)))} of work",
    ]
    return " · ".join([*parts, f"peak memory {formats.size(peak)}"] if peak else parts)


def timing_labels(stages: pl.DataFrame) -> pl.DataFrame:
    """Timings with titles and labels for the chart."""
    return stages.with_columns(
        title=pl.Series([stage(name) for name in stages["stage"]], dtype=pl.String),
        label=pl.Series([formats.duration(wall_s) for wall_s in stages["wall_s"]], dtype=pl.String),
    )


def _short(code_version: str) -> str:
    """A git commit by its first letters, whatever follows it kept; a package version as it is."""
    commit, plus, rest = code_version.partition("+")
    return (commit[:10] if len(commit) == _COMMIT_LETTERS else commit) + plus + rest
