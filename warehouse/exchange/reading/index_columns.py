"""Columns that pandas wrote for its index: they hold no data and are left out, and said to be."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

import polars as pl

from warehouse.exchange.sheet import Sheet

_NAMED = re.compile(r"Unnamed: \d+(_level_\d+)?|__index_level_\d+__")


def without_index(sheet: Sheet) -> Sheet:
    """The sheet without them, unless the user calls them scorers.

    They are told by pandas' names; `index` if it counts the rows or the file declares it to be the index.
    """
    columns = [
        column.name for column in sheet.frame if column.name not in sheet.scorers and _is_index(column, sheet.index)
    ]
    if not columns or len(columns) == sheet.frame.width:
        return sheet
    notes = tuple(f"{sheet.name}: column {name} (pandas' index) is left out" for name in columns)
    return replace(sheet, frame=sheet.frame.drop(columns), notes=sheet.notes + notes)


def _is_index(column: pl.Series, declared: Collection[str]) -> bool:
    if _NAMED.fullmatch(column.name):
        return True
    return column.name == "index" and (column.name in declared or _counts(column))


def _counts(column: pl.Series) -> bool:
    """Whether the cells are 0, 1, 2, … or 1, 2, 3, …"""
    if column.dtype == pl.String():
        column = column.cast(pl.Int64(), strict=False)
    if not column.dtype.is_integer() or column.null_count():
        return False
    return bool((column == pl.int_range(len(column), eager=True) + column[0]).all()) and column[0] in (0, 1)
