"""Outcomes: files with `reward_model, outcome, value` and perhaps `standard_error` → rows of table `outcome`.

Larger is better. An outcome of which smaller is better is named with a leading minus, such as `-perplexity`: its values
are stored negated under that name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from warehouse.errors import InvalidChoice
from warehouse.exchange.reading import read_sheet
from warehouse.exchange.scored_rows import OUTCOMES, Pieces, of_columns
from warehouse.exchange.sheet import Sheet, invalid, wrong_row
from warehouse.formats import count

MINUS = "-"
_NEEDED, _OPTIONAL = ("reward_model", "outcome", "value"), ("standard_error",)
COLUMNS = (*_NEEDED, *_OPTIONAL)
"""The columns of a file of outcomes."""


class OutcomeRows(NamedTuple):
    """Rows of table `outcome` without `run_id`, and the reward models of the files that the run does not have."""

    rows: pl.DataFrame
    left_out: tuple[str, ...]


def takes_outcomes(sheet: Sheet) -> bool:
    """Whether each row is an outcome of a reward model."""
    return set(_NEEDED) <= set(sheet.frame.columns)


def read_outcomes(sheet: Sheet, number: int) -> Pieces:
    """The outcomes of file `number`, without other columns. Raises InvalidRows for the first thing that is wrong."""
    others = tuple(name for name in sheet.frame.columns if name not in _NEEDED + _OPTIONAL)
    sheet.require(_NEEDED, _OPTIONAL + others, "outcomes")
    columns = {name: sheet.ids(name) for name in ("reward_model", "outcome")} | {"value": sheet.numbers("value")}
    if _OPTIONAL[0] in sheet.frame.columns:
        columns["standard_error"] = sheet.numbers("standard_error", optional=True)
        negative = (columns["standard_error"] < 0).fill_null(False).arg_true()
        if len(negative):
            got = columns["standard_error"][negative[0]]
            raise sheet.wrong(negative[0], "standard_error", got, "wanted 0 or more, or an empty field if unknown")
    return Pieces(outcomes=of_columns(columns, number, OUTCOMES))


def read_outcome_files(files: Sequence[Path]) -> tuple[list[Sheet], pl.DataFrame]:
    """Files that hold outcomes and nothing else, and their rows (`scored_rows.OUTCOMES`). Raises InvalidRows."""
    sheets = [read_sheet(path) for path in files]
    return sheets, pl.concat([read_outcomes(sheet, number).outcomes for number, sheet in enumerate(sheets)])


def smaller_is_better(outcomes: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The rows (`scored_rows.OUTCOMES`) with a leading minus before these names. Raises InvalidChoice for others."""
    known = outcomes["outcome"].unique().sort().to_list()
    if unknown := [name for name in names if name not in known]:
        raise InvalidChoice(f"--smaller-is-better {unknown[0]}: the files have the outcomes {known}")
    renamed = pl.when(pl.col("outcome").is_in(list(names))).then(pl.lit(MINUS) + pl.col("outcome"))
    return outcomes.with_columns(outcome=renamed.otherwise("outcome"))


def outcome_rows(sheets: Sequence[Sheet], outcomes: pl.DataFrame, reward_models: Sequence[str]) -> OutcomeRows:
    """The rows of a run with these reward models. Raises InvalidRows for a reward model's second value of an outcome.

    Also if there are outcomes, but none of a reward model of the run.
    """
    again = outcomes.filter(~pl.struct("reward_model", "outcome").is_first_distinct())
    if again.height:
        named = again["reward_model"][0]
        remedy = f"reward model {named!r} has a value of this outcome already: leave one out"
        raise wrong_row(sheets, again, "outcome", again["outcome"][0], remedy)
    known = pl.col("reward_model").is_in(list(reward_models))
    left_out = outcomes.filter(~known)["reward_model"].unique().sort().to_list()
    if left_out and outcomes.filter(known).is_empty():
        raise invalid(
            f"{sheets[outcomes['file'][0]].name}: none of its reward models is in the run: got {_listed(left_out)}; "
            f"the run has {_listed(reward_models)}"
        )
    sign = pl.when(pl.col("outcome").str.starts_with(MINUS)).then(-1.0).otherwise(1.0)
    rows = outcomes.filter(known).select(
        "outcome", "standard_error", reward_model_id="reward_model", value=sign * pl.col("value")
    )
    return OutcomeRows(rows.sort("outcome", "reward_model_id"), tuple(left_out))


def outcomes_line(given: OutcomeRows) -> str:
    """What was read, in one line: each outcome with its reward models and what is left out; empty without outcomes."""
    if given.rows.is_empty():
        return ""
    counted = given.rows.group_by("outcome").agg(pl.len(), known=pl.col("standard_error").count()).sort("outcome")
    parts = []
    for name, models, known in counted.iter_rows():
        smaller = f" (smaller is better, so stored as minus {name.removeprefix(MINUS)})" * name.startswith(MINUS)
        errors = "no standard errors" if known == 0 else f"standard errors of {known}"
        parts.append(f"{name} of {count(models, 'reward model')}, {errors}{smaller}")
    line = f"outcomes: {'; '.join(parts)}"
    if given.left_out:
        line += f"; left out, as the run does not have them: {_listed(given.left_out)}"
    return line


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
