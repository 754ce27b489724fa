"""One file as a sheet: Parquet, CSV, JSONL or JSON.

A column comes out as text, integers or floats; lists and objects as JSON text, so that a list and a string-encoded list
are the same thing from here on.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import polars as pl

from warehouse.outside.csv_file import read_csv
from warehouse.outside.json_file import as_json, read_json, read_jsonl
from warehouse.outside.sheet import CUT, Sheet, first_line, invalid

_BROKEN = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, TypeError, OverflowError)


def read_sheet(path: Path) -> Sheet:
    """Read one file. Raises InvalidRows for what is missing, empty, cut off, of another encoding or unknown kind."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise invalid(f"{path.name}: unknown extension {path.suffix!r}; give one of {', '.join(_READERS)}")
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise invalid(f"{path}: cannot be read ({error}); check the path") from error
    if not content.strip():
        raise invalid(f"{path.name}: the file is empty; give one with rows")
    sheet = reader(path.name, content)
    if sheet.frame.is_empty():
        raise invalid(f"{path.name}: the file has no rows; give one with rows")
    return sheet


def read_parquet(name: str, content: bytes) -> pl.DataFrame:
    """A Parquet file as it is. Raises InvalidRows where it is none, or not whole."""
    try:
        return pl.read_parquet(io.BytesIO(content))
    except _BROKEN as error:
        raise invalid(f"{name}: no whole Parquet file ({first_line(error)}); {CUT}") from error


def _read_parquet(name: str, content: bytes) -> Sheet:
    frame = read_parquet(name, content)
    try:
        return Sheet(name, frame.select(_plain(column) for column in frame))
    except _BROKEN as error:
        raise invalid(f"{name}: columns that are no text, numbers or lists ({first_line(error)}); cast them") from error


def _plain(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if dtype.is_nested():
        cells = [None if cell is None else as_json(cell) for cell in column.to_list()]
        return pl.Series(column.name, cells, dtype=pl.String())
    if dtype.is_integer():
        whole = column.cast(pl.Int64(), strict=False)
        return whole if whole.null_count() == column.null_count() else column.cast(pl.String())
    return column.cast(pl.Float64() if dtype.is_numeric() else pl.String())


_READERS: dict[str, Callable[[str, bytes], Sheet]] = {
    ".parquet": _read_parquet,
    ".csv": read_csv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
}

EXTENSIONS = tuple(_READERS)
"""Endings of the files that can be read."""
