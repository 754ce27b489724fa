"""Cells as numbers: text, decimals, [x] and [[x]], decimal commas; whole columns at once wherever that is possible."""

from __future__ import annotations

import json
import math
from typing import Any

import polars as pl

MISSING = ("", "nan", "na", "n/a", "null", "none", "<na>", "-nan", "+nan")
"""How files write a missing score, in lower case."""

_EXACT = 2**53  # floats of 64 bits hold every smaller integer and make larger ones equal
_WITH_COMMA = r"^[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?$"
_LARGE_INTEGER = r"^[+-]?[0-9]{16,}$"


def holds_objects(cells: pl.Series) -> bool:
    """Whether the cells are lists or objects (or some of them), not texts and numbers."""
    return cells.dtype.is_nested() or cells.dtype == pl.Object


def floats(cells: pl.Series, *, decimal_comma: bool = False) -> pl.Series:
    """Cells as floats of 64 bits, null where one is no number; with `decimal_comma` 1,5 is 1.5 in the columns that are
    written so throughout."""
    if holds_objects(cells):
        return pl.Series(cells.name, [_float(cell) for cell in cells.to_list()], dtype=pl.Float64())
    if cells.dtype != pl.String():
        is_number = cells.dtype.is_numeric() or cells.dtype == pl.Boolean()
        return cells.cast(pl.Float64(), strict=False) if is_number else _nulls(cells)
    cells = cells.str.strip_chars()
    values = cells.cast(pl.Float64(), strict=False)
    rest = cells.filter(values.is_null() & cells.is_not_null())
    if rest.is_empty():
        return values
    if decimal_comma and has_decimal_commas(cells):
        return cells.str.replace(",", ".", literal=True).cast(pl.Float64(), strict=False)
    if rest.str.starts_with("[").any():
        return pl.Series(cells.name, [_float(cell) for cell in cells.to_list()], dtype=pl.Float64())
    return values


def has_decimal_commas(cells: pl.Series) -> bool:
    """Whether a column of text is of numbers, some with a decimal comma and none with a point."""
    cells = cells.str.strip_chars()
    has_comma = cells.str.contains(_WITH_COMMA).fill_null(False)
    if not has_comma.any() or cells.str.contains(".", literal=True).any():
        return False
    others = cells.filter(~has_comma)
    return bool((others.cast(pl.Float64(), strict=False).is_not_null() | is_missing(others)).all())


def is_missing(cells: pl.Series) -> pl.Series:
    """Which cells are null, empty or say that they are no number."""
    if cells.dtype == pl.String():
        return cells.is_null() | cells.str.strip_chars().str.to_lowercase().is_in(MISSING)
    if cells.dtype.is_float():
        return cells.is_null() | cells.is_nan()
    if holds_objects(cells):
        return pl.Series(cells.name, [_is_missing(_single(cell)) for cell in cells.to_list()], dtype=pl.Boolean())
    return cells.is_null()


def is_inexact(cells: pl.Series, values: pl.Series) -> pl.Series:
    """Which cells are integers that their float in `values` cannot hold."""
    large = (values.abs() > _EXACT).fill_null(False)
    if not large.any() or cells.dtype.is_float():
        return large & False
    if cells.dtype == pl.String():
        return large & cells.str.strip_chars().str.contains(_LARGE_INTEGER).fill_null(False)
    if holds_objects(cells):
        whole = [isinstance(_single(cell), int) for cell in cells.to_list()]
        return large & pl.Series(whole, dtype=pl.Boolean())
    return large


def _single(cell: Any) -> Any:
    """The cell without brackets around one value."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    while isinstance(cell, list) and len(cell) == 1:
        cell = cell[0]
    return cell


def _float(cell: Any) -> float | None:
    cell = _single(cell)
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        return None
    try:
        return float(cell)
    except ValueError:
        return None
    except OverflowError:
        return math.inf if cell > 0 else -math.inf  # type: ignore[operator]


def _is_missing(cell: Any) -> bool:
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _nulls(cells: pl.Series) -> pl.Series:
    return pl.Series(cells.name, [], dtype=pl.Float64()).clear(len(cells))
