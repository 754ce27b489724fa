"""The sentences about runs of the pipeline. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from app.components import estimates, formats
from app.components.formats import escape, number
from pipeline.runs.jobs import Estimate, RunStatus, StageProgress

_STAGES: Mapping[str, str] = {
    "train_responses": "Training responses",
    "preferences": "Preference pairs",
    "features": "Trunk features",
    "best_of_n": "Best-of-n and tilted values",
    "ppo": "PPO",
}
"""Titles of the stages that are not called by their names."""


class SettingWords(NamedTuple):
    """Title and help of a setting."""

    title: str
    help: str


SETTINGS: Mapping[str, SettingWords] = {
    "seed": SettingWords("Seed", "Seed of every random choice in the run: the same seed gives the same results."),
    "rl_test_samples": SettingWords(
        "Samples per RL-test prompt (N)",
        "Number of responses to each RL-test prompt that best-of-n can choose from; n goes up to N.",
    ),
    "ppo_steps": SettingWords("PPO steps", "Training steps against each reward model. 0: no PPO."),
    "flip_rates": SettingWords(
        "Flip rates",
        "One reward model is trained for each value: the share of its training labels that is flipped. Separate "
        "values with commas.",
    ),
    "more_flip_rates": SettingWords(
        "More flip rates", "Adds one reward model for each value to those of the run. Separate values with commas."
    ),
    "size": SettingWords(
        "Training shares",
        "Adds one reward model for each value, trained on this share of the pairs. Example: 0.25, 0.5.",
    ),
    "depth": SettingWords(
        "Trained blocks",
        "Adds one reward model for each value, with this many top blocks trained; 0 trains the head only. Example: "
        "2, all.",
    ),
    "seed_number": SettingWords(
        "Seeds", "Adds one reward model for each value, which differs only in its random choices. Example: 1, 2."
    ),
    "length": SettingWords(
        "Length biases",
        "Adds one reward model for each value: this share of its training labels prefers the longer response. Example: "
        "0.5.",
    ),
    "learning_rate": SettingWords(
        "Their learning rate",
        "Learning rate of the four kinds of reward models above. Default: the run's. With trained blocks, use a "
        "smaller one.",
    ),
    "epochs": SettingWords("Their epochs", "Epochs of the four kinds of reward models above. Default: the run's."),
    "more_ppo_steps": SettingWords(
        "PPO steps", "This run already has PPO, which cannot be continued; start a new run for more steps."
    ),
    "categories": SettingWords("Categories", "Only prompts of these categories are used to train, test and optimise."),
}

IMPORTED = (
    "Import scores that were computed elsewhere (Parquet, Arrow, CSV, JSON or JSON Lines), with preferences and policy "
    "values if you have them; the output of RewardBench or RM-Bench; or the ZIP of an exported run. The import becomes "
    "a new run that every page can show."
)

COLUMNS = (
    "Columns are recognised by their names and by what they hold. Where a name says nothing, choose what the column "
    "is; a path such as `meta.id` leads into an object."
)
BY_NAME = "by its name"
"""What a choice says where nothing was chosen."""

COLUMN_ROLES: Mapping[str, SettingWords] = {
    "prompt_id": SettingWords("Prompt id", "The same for all responses to a prompt, in all files."),
    "response_id": SettingWords("Response id", "Tells the responses to a prompt apart, in all files."),
    "reward_model": SettingWords("Reward model", "Who gave the score, if a row has one score."),
    "score": SettingWords("Score", "The number, if a row has one score."),
    "prompt": SettingWords("Prompt", "The text of the prompt."),
    "response": SettingWords("Response", "The text of the response."),
    "category": SettingWords("Category", "The category of the prompt: one of RewardBench's or your own."),
    "label": SettingWords("Label", "1 for a right response and 0 for a wrong one."),
    "chosen": SettingWords("Chosen", "The preferred response, if a row is a pair."),
    "rejected": SettingWords("Rejected", "The other response, if a row is a pair."),
    "score_chosen": SettingWords("Score of chosen", "The score of the preferred response, if a row is a pair."),
    "score_rejected": SettingWords("Score of rejected", "The score of the other response, if a row is a pair."),
}
"""What a column can be."""

SCORERS = SettingWords(
    "Columns that are scorers",
    "If each reward model has a column of its own: these, and no others. Default: columns of numbers that nothing else "
    "explains.",
)

INCOMPLETE = {
    "drop-response": "leave out the response",
    "drop-prompt": "leave out its prompt",
    "drop-model": "leave out the scorers that lack scores",
    "refuse": "refuse the files",
}
"""What to do with a response that not every scorer has scored."""

EXTENDED = (
    "Starts a new run with your additions. It reuses everything that this run has computed and computes only what is "
    "missing. This run is not changed."
)

PINNED = "The pinned run is shown, and measured by commands, where none is named."
RESULTS_ONLY = (
    "Results only: its weights and settings are not in this data folder, so it cannot be extended. Start a run of its "
    "profile to have one that can."
)

DELETE = (
    "Its folder and its rows in the warehouse are deleted for good. Runs that extend it keep what they reuse. To be "
    "able to import it again, export it first."
)
RESUME = "Continue from where the run stopped."
CANCEL = "Stop the run within seconds. Finished work is kept, so that it can be resumed."

READ_ONLY = " · this server only reads: start and import runs elsewhere"
SIGN_IN = " · sign in to start, stop and import runs"

_COMMIT_LETTERS = 40


def stage(name: str) -> str:
    """Title of a pipeline stage."""
    return _STAGES.get(name, name.replace("_", " ").capitalize())


def share(stage: StageProgress) -> float:
    """How much of a stage is done, 0 to 1."""
    if stage.state == "done":
        return 1.0
    return min(1.0, stage.done / stage.total) if stage.total else 0.0


def share_of_run(run: RunStatus) -> float:
    """Share of a run's stages that is done, 0 to 1, the current one in part; not an estimate of time."""
    return sum(share(stage) for stage in run.stages) / max(1, len(run.stages))


def stage_progress(stage: StageProgress) -> str:
    """How far a running stage is: `320 of 960 responses · 12.3 per s · 52 s left`."""
    parts = [f"{stage.done:,} of {stage.total:,} {escape(stage.unit)}" if stage.total else "starting"]
    if stage.rate_per_s:
        parts.append(f"{number(stage.rate_per_s, 1)} per s")
    if stage.eta_s is not None:
        parts.append(f"{formats.duration(stage.eta_s)} left")
    return " · ".join(parts)


def stage_note(stage: StageProgress) -> str:
    """How far a stage is, whatever its state: `960 responses in 41 s`, `320 of 960 responses, stopped`."""
    if stage.state == "running":
        return stage_progress(stage)
    if stage.state == "done":
        return f"{stage.done:,} {escape(stage.unit)} in {formats.duration(stage.wall_s)}"
    return f"{stage.done:,} of {stage.total:,} {escape(stage.unit)}, stopped" if stage.done else "to come"


def running_stage(run: RunStatus) -> str:
    """The stage that a run is executing: `Scores: 12 of 40 prompts · 8 s left`."""
    running = next((entry for entry in run.stages if entry.state == "running"), None)
    return f"{stage(running.name)}: {stage_progress(running)}" if running else "between two stages"


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
    """A run of which only the results are stored: profile, and when it was imported or finished."""
    if facts["profile"] == "import":
        files = [str(file.get("name")) for file in facts["config"].get("files", [])]
        source = [f"from {formats.listed(files)}"] if files else []
        return " · ".join([*source, f"imported {formats.when(facts['finished_at'])}"])
    return f"profile {escape(facts['profile'])} · finished {formats.when(facts['finished_at'])}"


def manifest_line(manifest: Mapping[str, Any]) -> str:
    """Code, seed, end, work and peak memory of a run."""
    peak = max((facts.get("peak_resident_bytes", 0) for facts in manifest.get("stages", {}).values()), default=0)
    parts = [
        f"code {escape(_short(str(manifest.get('code_version', 'unknown'))))}",
        f"seed {manifest.get('config', {}).get('seed', 'unknown')}",
        f"finished {formats.when(str(manifest.get('finished_at', '')))}",
        f"{formats.duration(float(manifest.get('wall_s', 0)))} of work",
    ]
    return " · ".join([*parts, f"peak memory {formats.size(peak)}"] if peak else parts)


def estimated(estimate: Estimate, free_bytes: int) -> str:
    """What a run is likely to need, the free disk space, and the runs that this is estimated from."""
    if not estimate.sources:
        return "Time and memory are unknown: no run with this model, sampler and data has finished here."
    needs = estimate.needs[0].upper() + estimate.needs[1:]
    sources = " and ".join(map(escape, estimate.sources))
    return f"{needs} ({formats.size(free_bytes)} free). Estimated from {sources}."


def invalid(setting_name: str, message: str) -> str:
    """What is wrong with a field of a form."""
    return f"{SETTINGS[setting_name].title}: {escape(message)}" if setting_name in SETTINGS else escape(message)


def first_rows(name: str, rows: int) -> str:
    """What a table of a file's first rows is."""
    return f"{escape(name)}: the first {rows} rows"


def more_files(count: int) -> str:
    """That other files are not shown."""
    return f"and {count} more file{'s' if count > 1 else ''}"


def has_to_wait(other: str) -> str:
    """That a new run does not start at once."""
    return f"{escape(other)} is running: a new run waits until it ends."


def waiting(run: RunStatus) -> str:
    """Why a run has not started yet."""
    if run.submitted_to is None:
        other = escape(run.waits_for or "another run")
        return f"Waiting for {other}, which is running: only one run executes per data folder."
    answer = run.cluster_answer
    last = (
        f"its last answer, {formats.when(answer['asked_at'])}: {escape(answer['state'])}" if answer else "no answer yet"
    )
    return f"Submitted to Ray at {escape(run.submitted_to)}, which has not started it yet ({last})."


def headlines(frame: pl.DataFrame, runs: Sequence[str]) -> str:
    """How to read the correlations of some runs; `frame` is that of `data.headlines`."""
    parts = [
        f"Kendall τ at each optimiser's greatest strength: {estimates.KEY}. {estimates.intervals(1000)}.",
        "The intervals show how certain each figure is; they do not test whether the runs differ.",
    ]
    for run_id, policies, value, undefined in frame.select("run_id", "policies", "value", "undefined").iter_rows():
        missing = [f"{formats.count(undefined, 'pair')} undefined and left out"] if undefined else []
        missing += ["τ is undefined"] if value is None else []
        if missing:
            parts.append(f"{escape(run_id)}, {policies}: {', '.join(missing)}.")
    for run_id in runs:
        if run_id not in frame["run_id"].to_list():
            parts.append(f"{escape(run_id)} has no two reward models with optimised policies.")
    return " ".join(parts)


def without_stages(runs: Sequence[str]) -> str:
    """Runs whose stages are unknown; empty if there are none."""
    return "".join(f" {escape(run_id)} was imported: its stages are unknown." for run_id in runs)


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


def retry(failed: Sequence[str]) -> str:
    """Which policies a retry retrains."""
    return f"Retrain the policies that failed: {formats.listed(failed)}. Everything else is kept."
