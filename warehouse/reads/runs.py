"""What a run holds: its row, its reward models and how they were trained, its prompts."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from warehouse import labels
from warehouse.errors import UnknownName
from warehouse.store import Connection

RECORDED = "recorded"
"""Id of the run that comes with the package."""
SMOKE = "smoke"
"""Profile of runs that only try every stage."""


def all_runs(connection: Connection) -> pl.DataFrame:
    """Table `run`, newest first."""
    return connection.execute("SELECT * FROM run ORDER BY finished_at DESC, run_id DESC").pl()


def default_of(runs: pl.DataFrame, pinned: str | None) -> str | None:
    """The run that is shown and measured where none is named; None if there is none. `runs` is as of `all_runs`.

    It is the pinned run, or the recorded one, or the one that finished last. A smoke run, which is too small to mean
    anything, is chosen only where there is nothing else.
    """
    names = runs["run_id"].to_list()
    serious = runs.filter(pl.col("profile") != SMOKE)["run_id"].to_list()
    return next((name for name in (pinned, RECORDED, *serious, *names) if name in names), None)


def default_run(connection: Connection) -> str | None:
    """Id of that run in a warehouse, with what is pinned in its data folder; None in an empty warehouse."""
    query = "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    (path,) = connection.execute(query).fetchall()[0]
    pinned = None if path is None else labels.read(Path(path).parent).pinned
    return default_of(all_runs(connection), pinned)


def named_or_default(connection: Connection, run_id: str | None) -> str:
    """The run, or the default one for None. Raises UnknownName in an empty warehouse."""
    chosen = run_id or default_run(connection)
    if chosen is None:
        raise UnknownName("the warehouse has no run yet; start one with `righttree run --profile quick`")
    return chosen


def reward_models(connection: Connection, run_id: str) -> pl.DataFrame:
    """Table `reward_model` of a run, by id. Raises UnknownName for an unknown run."""
    frame = connection.execute("SELECT * FROM reward_model WHERE run_id = ? ORDER BY reward_model_id", [run_id]).pl()
    if frame.is_empty():
        known = all_runs(connection)["run_id"].to_list()
        raise UnknownName(f"run {run_id!r} is not in the warehouse; it has {known}")
    return frame


def prompts(connection: Connection, run_id: str, split: str | None = None) -> pl.DataFrame:
    """Table `prompt` of a run, of one split or of all, by id."""
    query = "SELECT * FROM prompt WHERE run_id = $run AND ($split IS NULL OR split = $split) ORDER BY prompt_id"
    return connection.execute(query, {"run": run_id, "split": split}).pl()


def training_curves(connection: Connection, run_id: str) -> pl.DataFrame:
    """Metrics recorded while a run's reward models were trained: `model_id, metric, step, value`, by all three."""
    return connection.execute(
        """
        SELECT model_id, metric, step, value FROM training_curve
        WHERE run_id = $run AND model_id IN (SELECT reward_model_id FROM reward_model WHERE run_id = $run)
        ORDER BY model_id, metric, step
        """,
        {"run": run_id},
    ).pl()


def validation_pairs(connection: Connection, run_id: str) -> int:
    """Number of validation pairs of a run; 0 if its preferences were not stored."""
    query = "SELECT count(*) FROM preference WHERE run_id = ? AND split = 'validation'"
    return int(connection.execute(query, [run_id]).fetchall()[0][0])


def flipped_pairs(connection: Connection, run_id: str) -> pl.DataFrame:
    """How many training pairs of each reward model were flipped: `reward_model_id, flipped, pairs`, by id."""
    return connection.execute(
        """
        SELECT reward_model_id, count(*) FILTER (flipped) AS flipped, count(*) AS pairs FROM label
        WHERE run_id = ? GROUP BY reward_model_id ORDER BY reward_model_id
        """,
        [run_id],
    ).pl()
