"""Ids that pandas turned into floats, because a gap elsewhere needed a NaN: 1.0 is 1 in every file."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from warehouse.exchange.sheet import Sheet

_WHOLE = r"^-?[0-9]+\.0+$"


def with_whole_ids(sheet: Sheet) -> Sheet:
    """The sheet with ids 1.0, 2.0, … as 1, 2, …, where all ids of a column are so; and a note on it."""
    changed = {column.name: whole for column in sheet.frame if (whole := _whole(column)) is not None}
    if not changed:
        return sheet
    name, ids = next(iter(changed.items()))
    example = f"{sheet.frame[name][0]} are read as {ids[0]}"
    note = f"{sheet.name}: whole numbers in {', '.join(changed)} that are written like {example}"
    return replace(sheet, frame=sheet.frame.with_columns(changed.values()), notes=(*sheet.notes, note))


def _whole(column: pl.Series) -> pl.Series | None:
    """The column of ids with integers, as text if it is one; None if it has other ids or is none."""
    if column.name != "id" and not column.name.endswith("_id"):
        return None
    if column.dtype.is_float():
        whole = (column.round() == column) & (column.abs() < 2**53)
        return column.cast(pl.Int64(), strict=False) if whole.fill_null(True).all() and whole.any() else None
    if column.dtype != pl.String() or not column.str.contains(_WHOLE).any():
        return None
    is_whole = column.str.contains(_WHOLE) | (column == "")
    return column.str.replace(r"\.0+$", "") if is_whole.fill_null(True).all() else None
