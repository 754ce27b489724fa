"""Files made elsewhere → pieces: which kind of file each one is, told by its columns, and its rows in long form.

Scores: long (`prompt_id, response_id, reward_model, score`), wide (a column per reward model), RewardBench, RM-Bench.
Beside them: preferences (`prompt, chosen, rejected`) and policy values (`optimizer, strength, reward_model, golden,
prompt_id, value`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from warehouse.errors import InvalidChoice
from warehouse.exchange import sheet as exchange_sheet
from warehouse.exchange.benchmarks import is_benchmark, is_scored, read_benchmark
from warehouse.exchange.files import read_sheet
from warehouse.exchange.scored_rows import LONG, PREFERENCES, VALUES, Pieces, joined, of_columns
from warehouse.exchange.sheet import Sheet, invalid
from warehouse.schema import RL_ALGORITHMS

LAYOUTS = ("auto", "long", "wide", "rewardbench", "rm-bench")
"""What the files with scores look like; `auto` tells by the columns."""

_IDS = ("prompt_id", "response_id")
_DESCRIBED = ("category", "subset", "prompt", "response", "split")
_PREFERENCE = ("preference_id", "source", "split", "category", "prompt_id")
_VALUE = ("optimizer", "strength", "reward_model", "golden", "prompt_id", "value")
_OPTIMIZERS = ("bon", *RL_ALGORITHMS, "none")


def read_files(files: Sequence[Path], layout: str = "auto") -> tuple[list[Sheet], Pieces]:
    """All files, and what is in them.

    Raises InvalidRows for the first thing that is wrong, InvalidChoice for an unknown layout.
    """
    if layout not in LAYOUTS:
        raise InvalidChoice(f"layout is {layout!r}; there are {list(LAYOUTS)}")
    if not files:
        raise invalid("no files: give one with the columns prompt_id, response_id, reward_model, score")
    twice = [path for path in files if list(files).count(path) > 1]
    if twice:
        raise invalid(f"{twice[0]}: given twice; give each file once")
    sheets = [read_sheet(path) for path in files]
    parts = [_reader(sheet, layout)(sheet, number) for number, sheet in enumerate(sheets)]
    return sheets, joined(parts)


def _reader(sheet: Sheet, layout: str) -> Callable[[Sheet, int], Pieces]:
    there = set(sheet.frame.columns)
    if {"value", "golden"} <= there or ({"value", "optimizer"} <= there and "score" not in there):
        return _read_values
    if is_benchmark(sheet) and (layout not in ("long", "wide") or not is_scored(sheet)):
        return read_benchmark
    if {"chosen", "rejected"} <= there and layout not in ("rewardbench", "rm-bench"):
        return _read_preferences
    if layout == "auto":
        return _read_long if there & {"reward_model", "score"} or not set(_IDS) <= there else _read_wide
    return {"long": _read_long, "wide": _read_wide}.get(layout, read_benchmark)


def _read_long(sheet: Sheet, number: int) -> Pieces:
    exchange_sheet.require(sheet, (*_IDS, "reward_model", "score"), _DESCRIBED, "scores in long form")
    columns = {name: exchange_sheet.ids(sheet, name) for name in (*_IDS, "reward_model")}
    columns["score"] = exchange_sheet.numbers(sheet, "score", pl.Float32())
    return Pieces(of_columns(columns | _described(sheet), number, LONG))


def _read_wide(sheet: Sheet, number: int) -> Pieces:
    models = [name for name in sheet.frame.columns if name not in _IDS + _DESCRIBED]
    exchange_sheet.require(sheet, _IDS, (*_DESCRIBED, *models), "scores in wide form")
    if not models:
        raise invalid(f"{sheet.name}, row 1: got columns {sheet.frame.columns}; wanted one more for each reward model")
    columns = {name: exchange_sheet.ids(sheet, name) for name in _IDS} | _described(sheet)
    parts = []
    for model in models:
        scores = {"score": exchange_sheet.numbers(sheet, model, pl.Float32())}
        named = {"reward_model": pl.Series([model] * sheet.frame.height, dtype=pl.String())}
        parts.append(of_columns(columns | scores | named, number, LONG))
    return Pieces(pl.concat(parts))


def _described(sheet: Sheet) -> dict[str, pl.Series]:
    return {name: exchange_sheet.labels(sheet, name) for name in _DESCRIBED}


def _read_preferences(sheet: Sheet, number: int) -> Pieces:
    exchange_sheet.require(sheet, ("chosen", "rejected"), ("prompt", *_PREFERENCE), "preferences")
    if not {"prompt", "prompt_id"} & set(sheet.frame.columns):
        raise invalid(f"{sheet.name}, row 1: preferences without prompts; add column prompt or prompt_id")
    columns = {name: exchange_sheet.ids(sheet, name) for name in ("chosen", "rejected")}
    columns |= {name: exchange_sheet.labels(sheet, name) for name in ("prompt", *_PREFERENCE)}
    _one_of(sheet, "split", columns["split"], ("train", "validation"))
    return Pieces(preferences=of_columns(columns, number, PREFERENCES))


def _read_values(sheet: Sheet, number: int) -> Pieces:
    exchange_sheet.require(sheet, _VALUE, ("policy_id", "kl"), "policy values")
    columns = {name: exchange_sheet.ids(sheet, name) for name in ("optimizer", "golden", "prompt_id")}
    _one_of(sheet, "optimizer", columns["optimizer"], _OPTIMIZERS)
    columns |= {name: exchange_sheet.labels(sheet, name) for name in ("policy_id", "reward_model")}
    columns["value"] = exchange_sheet.numbers(sheet, "value")
    initial = columns["optimizer"] == "none"
    for name in ("strength", "kl"):
        columns[name] = _maybe_numbers(sheet, name)
    for name in ("strength", "reward_model"):
        lacking = (columns[name].is_null() & ~initial).arg_true()
        if len(lacking):
            raise sheet.wrong(lacking[0], name, None, "every policy but the initial one (optimizer none) needs it")
        columns[name] = pl.select(pl.when(~initial).then(columns[name])).to_series()
    return Pieces(values=of_columns(columns, number, VALUES))


def _maybe_numbers(sheet: Sheet, column: str) -> pl.Series:
    """Finite floats where there is anything, else null."""
    given = exchange_sheet.labels(sheet, column)
    rows = given.is_not_null().arg_true()
    part = Sheet(sheet.name, pl.DataFrame({column: given.gather(rows)}), None)
    try:
        values = exchange_sheet.numbers(part, column)
    except ValueError:
        bad = given.cast(pl.Float64(), strict=False).is_finite().fill_null(False)
        row = next(row for row in rows if not bad[row])
        raise sheet.wrong(row, column, given[row], "wanted a finite number") from None
    found = pl.DataFrame({"row": rows, column: values})
    return pl.DataFrame({"row": pl.int_range(len(given), dtype=pl.UInt32(), eager=True)}).join(
        found, on="row", how="left", maintain_order="left"
    )[column]


def _one_of(sheet: Sheet, column: str, values: pl.Series, allowed: tuple[str, ...]) -> None:
    wrong = (~values.is_in(allowed)).fill_null(False).arg_true()
    if len(wrong):
        raise sheet.wrong(wrong[0], column, values[wrong[0]], f"wanted one of {list(allowed)}")
