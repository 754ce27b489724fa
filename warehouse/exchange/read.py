"""Files made elsewhere → pieces: which kind of file each one is, by its columns, and its rows in long form.

Scores: long (`prompt_id, response_id, reward_model, score`), wide (a column per reward model), RewardBench, RM-Bench.
Beside them: preferences (`prompt, chosen, rejected`) and policy values (`optimizer, strength, reward_model, golden,
prompt_id, value`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from warehouse.errors import InvalidChoice
from warehouse.exchange.benchmarks import is_benchmark, is_scored, read_benchmark
from warehouse.exchange.reading import read_sheet
from warehouse.exchange.scored_rows import LONG, PREFERENCES, VALUES, Pieces, joined, of_columns
from warehouse.exchange.sheet import Sheet, invalid
from warehouse.schema import RL_ALGORITHMS

LAYOUTS = ("auto", "long", "wide", "rewardbench", "rm-bench")
"""What the files with scores look like; `auto` decides by the columns."""

_IDS = ("prompt_id", "response_id")
_DESCRIBED = ("category", "subset", "prompt", "response", "split")
_PREFERENCE = ("preference_id", "source", "split", "category", "prompt_id")
_VALUE = ("optimizer", "strength", "reward_model", "golden", "prompt_id", "value")


def read_files(files: Sequence[Path], layout: str = "auto") -> tuple[list[Sheet], Pieces]:
    """All files, and what is in them.

    Raises InvalidRows for the first thing that is wrong, InvalidChoice for an unknown layout.
    """
    if layout not in LAYOUTS:
        raise InvalidChoice(f"layout is {layout!r}; choose one of {list(LAYOUTS)}")
    if not files:
        raise invalid("no files: give one with the columns prompt_id, response_id, reward_model, score")
    repeated = [path for path in files if list(files).count(path) > 1]
    if repeated:
        raise invalid(f"{repeated[0]}: given twice; give each file once")
    sheets = [read_sheet(path) for path in files]
    return sheets, joined([_reader(sheet, layout)(sheet, number) for number, sheet in enumerate(sheets)])


def _reader(sheet: Sheet, layout: str) -> Callable[[Sheet, int], Pieces]:
    columns = set(sheet.frame.columns)
    if {"value", "golden"} <= columns or ({"value", "optimizer"} <= columns and "score" not in columns):
        return _read_values
    if is_benchmark(sheet) and (layout not in ("long", "wide") or not is_scored(sheet)):
        return read_benchmark
    if {"chosen", "rejected"} <= columns and layout not in ("rewardbench", "rm-bench"):
        return _read_preferences
    if layout == "auto":
        return _read_long if columns & {"reward_model", "score"} or not set(_IDS) <= columns else _read_wide
    return {"long": _read_long, "wide": _read_wide}.get(layout, read_benchmark)


def _read_long(sheet: Sheet, number: int) -> Pieces:
    sheet.require((*_IDS, "reward_model", "score"), _DESCRIBED, "scores in long form")
    columns = {name: sheet.ids(name) for name in (*_IDS, "reward_model")}
    columns |= {"score": sheet.scores("score")} | _labels(sheet, _DESCRIBED)
    return Pieces(of_columns(columns, number, LONG))


def _read_wide(sheet: Sheet, number: int) -> Pieces:
    models = [name for name in sheet.frame.columns if name not in _IDS + _DESCRIBED]
    sheet.require(_IDS, (*_DESCRIBED, *models), "scores in wide form")
    if not models:
        raise invalid(f"{sheet.name}, row 1: got columns {sheet.frame.columns}; wanted one more for each reward model")
    columns = {name: sheet.ids(name) for name in _IDS} | _labels(sheet, _DESCRIBED)
    parts = [of_columns(columns | {"score": sheet.scores(model)}, number, LONG) for model in models]
    named = (part.with_columns(reward_model=pl.lit(model)) for model, part in zip(models, parts, strict=True))
    return Pieces(pl.concat(named))


def _read_preferences(sheet: Sheet, number: int) -> Pieces:
    sheet.require(("chosen", "rejected"), ("prompt", *_PREFERENCE), "preferences")
    if not {"prompt", "prompt_id"} & set(sheet.frame.columns):
        raise invalid(f"{sheet.name}, row 1: preferences without prompts; add column prompt or prompt_id")
    columns = {name: sheet.ids(name) for name in ("chosen", "rejected")} | _labels(sheet, ("prompt", *_PREFERENCE))
    _check_allowed(sheet, columns["split"], ("train", "validation"))
    return Pieces(preferences=of_columns(columns, number, PREFERENCES))


def _read_values(sheet: Sheet, number: int) -> Pieces:
    sheet.require(_VALUE, ("policy_id", "kl"), "policy values")
    columns = {name: sheet.ids(name) for name in ("optimizer", "golden", "prompt_id")}
    _check_allowed(sheet, columns["optimizer"], ("bon", *RL_ALGORITHMS, "none"))
    columns |= _labels(sheet, ("policy_id", "reward_model")) | {"value": sheet.numbers("value")}
    columns |= {name: sheet.numbers(name, optional=True) for name in ("strength", "kl")}
    initial = columns["optimizer"] == "none"
    for name in ("strength", "reward_model"):
        absent = (columns[name].is_null() & ~initial).arg_true()
        if len(absent):
            raise sheet.wrong(
                absent[0], name, got=None, remedy="every policy but the initial one (optimizer none) needs it"
            )
        columns[name] = columns[name].set(initial, None)
    return Pieces(values=of_columns(columns, number, VALUES))


def _labels(sheet: Sheet, names: Sequence[str]) -> dict[str, pl.Series]:
    return {name: sheet.labels(name) for name in names}


def _check_allowed(sheet: Sheet, values: pl.Series, allowed: tuple[str, ...]) -> None:
    wrong = (~values.is_in(allowed)).fill_null(False).arg_true()
    if len(wrong):
        raise sheet.wrong(wrong[0], values.name, values[wrong[0]], f"wanted one of {list(allowed)}")
