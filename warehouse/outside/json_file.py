"""A JSON or JSONL file as a sheet. Columns are text, integers or floats; lists and objects are kept as JSON text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from warehouse.outside.sheet import CUT, Sheet, broken, decoded, first_line, invalid, shown

_INT64 = 1 << 63


def read_jsonl(name: str, content: bytes) -> Sheet:
    """One object a line; lines with nothing on them are left out."""
    items: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(decoded(content).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{name}, row {len(items) + 1} (line {number})"
        item = _parsed(where, line)
        if not isinstance(item, dict):
            raise invalid(f"{where}: got {shown(item)}; every line is one object")
        items.append(item)
        lines.append(number)
    return _of_items(name, items, lines)


def read_json(name: str, content: bytes) -> Sheet:
    """A list of objects, or one object of columns with constants beside them, as RewardBench saves its scores."""
    found = _parsed(name, decoded(content))
    if isinstance(found, dict):
        lengths = {len(value) for value in found.values() if isinstance(value, list)}
        if len(lengths) != 1:
            raise invalid(f"{name}: got an object with lists of lengths {sorted(lengths)}; the columns have one length")
        (length,) = lengths
        columns = {key: value if isinstance(value, list) else [value] * length for key, value in found.items()}
        return _of_columns(name, columns, length, None)
    if not isinstance(found, list):
        raise invalid(f"{name}: got {shown(found)}; wanted a list of objects")
    for number, item in enumerate(found, 1):
        if not isinstance(item, dict):
            raise invalid(f"{name}, row {number}: got {shown(item)}; wanted an object")
    return _of_items(name, found, None)


def as_json(value: Any) -> str:
    """A list or an object as it is kept."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _parsed(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid(f"{where}: {broken(text) or f'no whole JSON ({first_line(error)}); {CUT}'}") from error


def _of_items(name: str, items: list[dict[str, Any]], lines: Sequence[int] | None) -> Sheet:
    names = dict.fromkeys(key for item in items for key in item)
    return _of_columns(name, {key: [item.get(key) for item in items] for key in names}, len(items), lines)


def _of_columns(name: str, columns: dict[str, list[Any]], height: int, lines: Sequence[int] | None) -> Sheet:
    for key in columns:
        if broken(key):
            raise invalid(f"{name}, column {shown(key)}: {broken(key)}")
    sheet = Sheet(name, pl.DataFrame(), lines)
    frame = {key: _column(sheet, key, values) for key, values in columns.items()}
    return Sheet(name, pl.DataFrame(frame, height=height) if frame else pl.DataFrame(), lines)


def _column(sheet: Sheet, key: str, values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {int} and all(value is None or -_INT64 <= value < _INT64 for value in values):
        return pl.Series(values, dtype=pl.Int64())
    if kinds and kinds <= {int, float} and float in kinds:
        return pl.Series([None if value is None else _as_float(value) for value in values], dtype=pl.Float64())
    texts = [value if value is None or isinstance(value, str) else as_json(value) for value in values]
    try:
        return pl.Series(texts, dtype=pl.String())
    except UnicodeEncodeError as error:
        row, text = next((row, text) for row, text in enumerate(texts) if text and broken(text))
        raise invalid(f"{sheet.at(row)}, column {key}: {broken(text)}") from error


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")
