"""Columns of a sheet as what they have to be: ids, texts, finite numbers, lists. Errors name file, row and column."""

from __future__ import annotations

import ast
import json
import warnings
from typing import Any

import polars as pl

from warehouse.outside.sheet import Sheet, invalid


def ids(sheet: Sheet, column: str) -> pl.Series:
    """A column as text, with nothing missing."""
    values = texts(sheet, column)
    empty = (values.is_null() | (values == "").fill_null(True)).arg_true()
    if len(empty):
        raise sheet.wrong(empty[0], column, values[empty[0]], "every row needs one")
    return values


def texts(sheet: Sheet, column: str) -> pl.Series:
    """A column as text; whole floats as integers, since a gap elsewhere turns integer ids into floats. May have nulls.

    A column that is not there is all null.
    """
    if column not in sheet.frame.columns:
        return pl.Series(column, [None] * sheet.frame.height, dtype=pl.String())
    values = sheet.frame[column]
    if values.dtype.is_float():
        whole = values.is_finite() & (values.round() == values) & (values.abs() < 2**53)
        if whole.fill_null(True).all():
            values = values.cast(pl.Int64())
    return values.cast(pl.String())


def labels(sheet: Sheet, column: str) -> pl.Series:
    """Text in which an empty field is a missing one."""
    values = texts(sheet, column)
    return values.to_frame().select(pl.when(pl.col(column) != "").then(pl.col(column)))[column]


def numbers(sheet: Sheet, column: str, dtype: pl.DataType | None = None) -> pl.Series:
    """A column as finite floats, with nothing missing; `dtype` is the precision they have to be finite in."""
    found = sheet.frame[column]
    stripped = found.str.strip_chars() if found.dtype == pl.String() else found
    values = stripped.cast(pl.Float64(), strict=False).cast(dtype or pl.Float64(), strict=False)
    bad = (~values.is_finite().fill_null(False)).arg_true()
    if len(bad):
        got = found[bad[0]]
        kind = "a finite number" + (" of 32 bits" if dtype == pl.Float32() else "")
        raise sheet.wrong(bad[0], column, got, f"wanted {kind}: mend it or leave the whole response out")
    return values


def require(sheet: Sheet, needed: tuple[str, ...], optional: tuple[str, ...], kind: str) -> None:
    """Raise InvalidRows unless the sheet has all needed columns and none that is neither needed nor optional."""
    there = sheet.frame.columns
    missing = [column for column in needed if column not in there]
    unknown = [column for column in there if column not in needed + optional]
    if missing or unknown:
        raise invalid(
            f"{sheet.name}, row 1: wrong columns for {kind}: missing {missing}, unknown {unknown}, got {there}; it has "
            f"to have {list(needed)} and may have {list(optional)}"
        )


def listed(sheet: Sheet, column: str) -> list[list[Any]]:
    """Every cell as a list: a list, a string-encoded list (JSON or Python), or one value by itself."""
    cells = sheet.frame[column].to_list()
    return [_as_list(sheet, row, column, cell) for row, cell in enumerate(cells)]


def looks_listed(values: pl.Series) -> bool:
    """Whether the first cell is a list of texts or a string that encodes one."""
    first = values.drop_nulls().head(1).to_list()
    found = as_list(first[0]) if first and isinstance(first[0], str) else None
    return bool(found) and all(isinstance(text, str) for text in found or [])


def as_list(cell: object) -> list[Any] | None:
    """The list that a string encodes, as JSON or as Python writes it; None if it encodes none."""
    if not isinstance(cell, str) or not cell.lstrip().startswith("["):
        return None
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        found = _evaluated(cell)
    return found if isinstance(found, list) else None


def _as_list(sheet: Sheet, row: int, column: str, cell: object) -> list[Any]:
    if cell is None:
        raise sheet.wrong(row, column, cell, "every row needs one")
    if not isinstance(cell, str) or not cell.lstrip().startswith("["):
        return [cell]
    found = as_list(cell)
    if not found:
        raise sheet.wrong(row, column, cell, "wanted a list with something in it, as JSON or Python writes it")
    return found


def _evaluated(cell: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
