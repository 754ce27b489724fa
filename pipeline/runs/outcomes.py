"""Outcomes that were measured elsewhere, added to a run that is published already.

A run has a directory, from which it can be published again; so its outcomes are a part of that too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from pipeline import runs
from pipeline.runs import RunDirectory, results
from warehouse import exchange, ingest, reads, store
from warehouse.errors import InvalidRows
from warehouse.exchange.outcomes import COLUMNS

INCOMPLETE = ("drop-model", "refuse")
"""What to do with outcomes of reward models that the run does not have: leave them out and say so, or refuse."""

_STAGE, _UNIT = "outcomes", "added"


class Added(NamedTuple):
    """What was added: a line to print, the run, its outcomes by name, and the reward models that were left out."""

    line: str
    run_id: str
    outcomes: tuple[str, ...]
    left_out: tuple[str, ...]


def add_outcomes(
    data: Path,
    files: Sequence[Path],
    run_id: str,
    *,
    smaller_is_better: Sequence[str] = (),
    incomplete: str = INCOMPLETE[0],
) -> Added:
    """Publish a run again with the outcomes in these files; a value that it has already is replaced.

    Raises UnknownName for a run that is not published, InvalidRows and InvalidChoice for the first thing that is
    wrong in the files; then nothing changes.
    """
    sheets, given = exchange.read_outcome_files(files)
    with store.open_read_only(data) as connection:
        models = reads.runs.reward_models(connection, run_id)["reward_model_id"].to_list()
        before = reads.outcomes.outcomes(connection, run_id).drop("run_id")
    added = exchange.outcome_rows(sheets, exchange.smaller_is_better(given, smaller_is_better), models)
    if added.left_out and incomplete == "refuse":
        unknown = ", ".join(added.left_out)
        raise InvalidRows(f"run {run_id!r} does not have the reward models {unknown}; leave them out of the files")
    keys = ["outcome", "reward_model_id"]
    new = added.rows.select(before.columns)
    rows = pl.concat([before.join(new, on=keys, how="anti"), new]).sort(keys)
    origin = ", ".join(sheet.name for sheet in sheets)
    if run_id in runs.run_ids(data):
        run = runs.open_run(data, run_id)
        with run.held():
            _put(data, run, rows, origin)
    else:
        results.replace_table(data, run_id, "outcome", rows, origin)
    names = tuple(rows["outcome"].unique().sort())
    others = dict.fromkeys(name for sheet in sheets for name in sheet.frame.columns if name not in COLUMNS)
    unread = f"; columns left out: {', '.join(others)}" if others else ""
    return Added(f"{run_id}: {exchange.outcomes_line(added)}{unread}", run_id, names, added.left_out)


def _put(data: Path, run: RunDirectory, rows: pl.DataFrame, origin: str) -> None:
    """Into the run's directory, then into the warehouse; if that fails, the directory has what it had before."""
    before = run.read_part("outcome", _STAGE, _UNIT) if run.has_part("outcome", _STAGE, _UNIT) else rows.clear()
    run.write_part("outcome", _STAGE, _UNIT, rows)
    try:
        ingest.replace_table(data, run.run_id, "outcome", rows, origin)
    except BaseException:
        run.write_part("outcome", _STAGE, _UNIT, before)
        raise
