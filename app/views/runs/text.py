"""The sentences a page says about runs of the pipeline. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from app.components import formats
from app.components.formats import escape, number
from pipeline.runs.jobs import Estimate, RunStatus, StageProgress

_NAMED = 4

STAGE_TITLES: Mapping[str, str] = {
    "prompts": "Prompts",
    "train_responses": "Training responses",
    "preferences": "Preference pairs",
    "features": "Trunk features",
    "reward_models": "Reward models",
    "test_responses": "Test responses",
    "scores": "Scores",
    "best_of_n": "Best-of-n values",
    "ppo": "PPO",
    "publish": "Publish",
}


@dataclass(frozen=True)
class SettingWords:
    """How a setting of a profile is called, and what it is."""

    title: str
    help: str


SETTINGS: Mapping[str, SettingWords] = {
    "seed": SettingWords("Seed", "Every draw of the run follows from it: the same seed gives the same rows."),
    "rl_test_samples": SettingWords(
        "Samples per RL-test prompt (N)",
        "Responses to each RL-test prompt that best-of-n chooses from; n goes up to N.",
    ),
    "ppo_steps": SettingWords("PPO steps", "Batches of rollouts against each reward model. 0 leaves PPO out."),
    "flip_rates": SettingWords(
        "Flip rates", "A reward model for each: the share of its training labels that are flipped. Separated by commas."
    ),
    "more_flip_rates": SettingWords(
        "More flip rates", "A reward model more for each, beside those that the run has. Separated by commas."
    ),
    "size": SettingWords(
        "Training shares", "A reward model more for each, trained on this share of the pairs: 0.25, 0.5."
    ),
    "depth": SettingWords(
        "Trained blocks", "A reward model more for each, with so many top blocks trained; 0 is the head alone: 2, all."
    ),
    "seed_number": SettingWords("Seeds", "A reward model more for each number, different in its draws alone: 1, 2."),
    "length": SettingWords(
        "Length biases",
        "A reward model more for each, with this share of its labels replaced by “the longer one is chosen”: 0.5.",
    ),
    "learning_rate": SettingWords(
        "Their learning rate",
        "Of the reward models of these four kinds; empty: the run's own. Trained blocks want less.",
    ),
    "epochs": SettingWords("Their epochs", "Of the reward models of these four kinds; empty: the run's own."),
    "more_ppo_steps": SettingWords(
        "PPO steps", "The run has PPO already, which cannot go on: more steps are another run."
    ),
    "categories": SettingWords("Categories", "Prompts of these are trained, tested and optimised on."),
}

IMPORTED = (
    "Parquet, CSV, JSONL or JSON with scores made elsewhere, and beside them preferences and policy values; the output "
    "of RewardBench and of RM-Bench; or the ZIP of an exported run. It becomes a run of its own, on every page."
)

EXTENDED = (
    "A new run with what is added: it takes over all that this one has made and computes only what is missing. "
    "This one stays as it is."
)

DELETED = (
    "Its directory and its rows in the warehouse go for good. Runs that extend it keep what they took over. Export it "
    "first to be able to import it again."
)

READ_ONLY = " · this server only reads: runs are started and imported elsewhere"
SIGN_IN = " · sign in to start, stop and import runs"

_COMMIT_LETTERS = 40


def stage(name: str) -> str:
    """Title of a pipeline stage."""
    return STAGE_TITLES.get(name, name.replace("_", " ").capitalize())


def setting(name: str) -> str:
    """Title of a setting that a page changes."""
    return SETTINGS[name].title if name in SETTINGS else escape(name)


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
    if run.state == "unreadable":
        return "its files cannot be read"
    parts = [f"profile {escape(run.profile)}", *([f"extends {escape(run.extends)}"] if run.extends else [])]
    parts.append(f"started {formats.when(run.started_at)}")
    if run.wall_s:
        parts.append(f"{formats.duration(run.wall_s)} of work")
    if run.state == "finished" and not run.published:
        parts.append("not published")
    return " · ".join(parts)


def published_line(facts: Mapping[str, Any]) -> str:
    """A run of the warehouse without a directory: profile, and when it was taken in or finished."""
    if facts["profile"] == "import":
        files = [str(file.get("name")) for file in facts["config"].get("files", [])]
        named = ", ".join(escape(name) for name in files[:3]) + (
            f" and {len(files) - 3} more" if len(files) > 3 else ""
        )
        return " · ".join([*([f"from {named}"] if named else []), f"imported {formats.when(facts['finished_at'])}"])
    return f"profile {escape(facts['profile'])} · finished {formats.when(facts['finished_at'])}"


def manifest_line(manifest: Mapping[str, Any]) -> str:
    """What made a run: code, seed, end, and the most memory it held."""
    peak = _peak(manifest)
    parts = [
        f"code {escape(_short(str(manifest.get('code_version', 'unknown'))))}",
        f"seed {manifest.get('config', {}).get('seed', 'unknown')}",
        f"finished {formats.when(str(manifest.get('finished_at', '')))}",
        f"{formats.duration(float(manifest.get('wall_s', 0)))} of work",
    ]
    return " · ".join([*parts, f"peak memory {formats.size(peak)}"] if peak else parts)


def estimated(found: Estimate, free_bytes: int) -> str:
    """What a run is likely to need, the free disk space, and the runs that it is estimated from."""
    if not found.sources:
        return "Time and memory are unknown: no run with this model, sampler and data has finished here."
    needs = found.needs[0].upper() + found.needs[1:]
    sources = " and ".join(map(escape, found.sources))
    return f"{needs} ({formats.size(free_bytes)} free). Estimated from {sources}."


def has_to_wait(other: str) -> str:
    """That a new run does not begin at once."""
    return f"{escape(other)} is at work: a new run waits until it ends."


def waiting(run: RunStatus) -> str:
    """Why a run does not work yet."""
    if run.submitted_to is not None:
        answer = run.cluster_answer
        said = (
            f"its last answer, {formats.when(answer['asked_at'])}: {escape(answer['state'])}"
            if answer
            else "no answer yet"
        )
        return f"Submitted to Ray at {escape(run.submitted_to)}, which has not begun with it ({said})."
    return f"Waits for {escape(run.waits_for or 'another run')}, which is at work: one run at a time takes all cores."


def headlines(frame: pl.DataFrame, runs: Sequence[str]) -> str:
    """How to read two runs' correlations; `frame` is that of `run_frames.headlines`."""
    resampled = " or ".join(escape(name) for name in frame["resampled"].unique(maintain_order=True))
    parts = [
        f"Kendall τ with its 95% bootstrap interval, resampling {resampled}, at each optimiser's greatest strength.",
        "The intervals say how sure each figure is, not whether the two differ: the runs share no draws.",
    ]
    for run_id, policies, value, undefined in frame.select("run_id", "policies", "value", "undefined").iter_rows():
        said = [f"{formats.count(undefined, 'pair')} undefined and left out"] if undefined else []
        said += ["τ is undefined"] if value is None else []
        if said:
            parts.append(f"{escape(run_id)}, {policies}: {', '.join(said)}.")
    for run_id in runs:
        if run_id not in frame["run_id"].to_list():
            parts.append(f"{escape(run_id)} has no two reward models with optimised policies.")
    return " ".join(parts)


def without_stages(runs: Sequence[str]) -> str:
    """Runs whose stages are not known; empty if there are none."""
    return "".join(f" {escape(run_id)} was imported: no stages are known of it." for run_id in runs)


def timing_labels(stages: pl.DataFrame) -> pl.DataFrame:
    """Timings with titles and labels for the chart."""
    return stages.with_columns(
        title=pl.Series([stage(name) for name in stages["stage"]], dtype=pl.String),
        label=pl.Series([formats.duration(wall_s) for wall_s in stages["wall_s"]], dtype=pl.String),
    )


def _peak(manifest: Mapping[str, Any]) -> int:
    """Most memory that a stage held, in bytes; 0 where it is not known."""
    return max((facts.get("peak_resident_bytes", 0) for facts in manifest.get("stages", {}).values()), default=0)


def _short(code_version: str) -> str:
    """A git commit by its first letters, whatever follows it kept; a package version as it is."""
    commit, plus, rest = code_version.partition("+")
    return (commit[:10] if len(commit) == _COMMIT_LETTERS else commit) + plus + rest


def retried(failed: Sequence[str]) -> str:
    """What making the policies again that could not be trained does."""
    named = ", ".join(escape(name) for name in failed[:_NAMED])
    more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    return f"Trains again what could not be trained, {named}{more}; all else stays as it is."
