"""One file as a frame: Parquet, CSV, JSONL or JSON.

A column comes out as text, integers or floats; lists and objects as JSON text, so that a list and a string-encoded list
are the same thing from here on. Text files are read by Python's own parsers, which know the line of what they reject.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from warehouse.outside.sheet import CUT, Sheet, decoded, first_line, invalid, shown

_CHUNK_ROWS = 100_000
_FIELD_CHARACTERS = 1 << 28
_INT64 = 1 << 63
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


def _read_csv(name: str, content: bytes) -> Sheet:
    rows = csv.reader(io.StringIO(decoded(name, content), newline=""), strict=True)
    limit = csv.field_size_limit(_FIELD_CHARACTERS)
    try:
        header = [column.strip() for column in next(rows, [])]
        _check_header(name, header)
        lines: list[int] = []
        chunks = list(_csv_chunks(name, header, rows, lines))
    except csv.Error as error:
        raise invalid(f"{name}, line {rows.line_num}: no CSV ({error}); close the quotes, or {CUT}") from error
    finally:
        csv.field_size_limit(limit)
    return Sheet(name, pl.concat(chunks), lines)


def _csv_chunks(name: str, header: list[str], rows: Any, lines: list[int]) -> Iterator[pl.DataFrame]:
    schema = dict.fromkeys(header, pl.String())
    chunk: list[list[str]] = []
    for row in rows:
        if not row:
            continue
        if len(row) != len(header):
            few = len(row) < len(header)
            column = header[len(row)] if few else header[-1]
            raise invalid(
                f"{name}, row {len(lines) + 1} (line {rows.line_num}), column {column}: got {len(row)} fields, wanted "
                f"{len(header)}; {CUT if few else 'put fields with commas in quotes'}"
            )
        chunk.append(row)
        lines.append(rows.line_num)
        if len(chunk) == _CHUNK_ROWS:
            yield pl.DataFrame(chunk, schema=schema, orient="row")
            chunk = []
    yield pl.DataFrame(chunk, schema=schema, orient="row")


def _check_header(name: str, header: list[str]) -> None:
    if not header or not all(header):
        raise invalid(f"{name}, line 1: got columns {shown(header)}; each has to have a name")
    twice = [column for column in header if header.count(column) > 1]
    if twice:
        raise invalid(f"{name}, line 1, column {twice[0]}: it is there twice; leave one out")


def _read_jsonl(name: str, content: bytes) -> Sheet:
    items: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(decoded(name, content).split("\n"), 1):
        if not line.strip():
            continue
        item = _parsed(f"{name}, row {len(items) + 1} (line {number})", line)
        if not isinstance(item, dict):
            raise invalid(f"{name}, row {len(items) + 1} (line {number}): got {shown(item)}; every line is one object")
        items.append(item)
        lines.append(number)
    return Sheet(name, _of_items(name, items), lines)


def _read_json(name: str, content: bytes) -> Sheet:
    """A list of objects, or one object of columns with constants beside them, as RewardBench saves its scores."""
    found = _parsed(name, decoded(name, content))
    if isinstance(found, dict):
        lengths = {len(value) for value in found.values() if isinstance(value, list)}
        if len(lengths) != 1:
            raise invalid(f"{name}: got an object with lists of lengths {sorted(lengths)}; the columns have one length")
        (length,) = lengths
        columns = {key: value if isinstance(value, list) else [value] * length for key, value in found.items()}
        return Sheet(name, _of_columns(name, columns, length))
    if not isinstance(found, list):
        raise invalid(f"{name}: got {shown(found)}; wanted a list of objects")
    for number, item in enumerate(found, 1):
        if not isinstance(item, dict):
            raise invalid(f"{name}, row {number}: got {shown(item)}; wanted an object")
    return Sheet(name, _of_items(name, found))


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
        cells = [None if cell is None else _listed(cell) for cell in column.to_list()]
        return pl.Series(column.name, cells, dtype=pl.String())
    if dtype.is_integer():
        whole = column.cast(pl.Int64(), strict=False)
        return whole if whole.null_count() == column.null_count() else column.cast(pl.String())
    return column.cast(pl.Float64() if dtype.is_numeric() else pl.String())


def _listed(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _of_items(name: str, items: list[dict[str, Any]]) -> pl.DataFrame:
    names = dict.fromkeys(key for item in items for key in item)
    return _of_columns(name, {key: [item.get(key) for item in items] for key in names}, len(items))


def _of_columns(name: str, columns: dict[str, list[Any]], height: int) -> pl.DataFrame:
    frame = {key: _column(name, key, values) for key, values in columns.items()}
    return pl.DataFrame(frame, height=height) if frame else pl.DataFrame()


def _column(name: str, key: str, values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {int} and all(value is None or -_INT64 <= value < _INT64 for value in values):
        return pl.Series(values, dtype=pl.Int64())
    if kinds and kinds <= {int, float} and float in kinds:
        return pl.Series([None if value is None else _as_float(value) for value in values], dtype=pl.Float64())
    texts = [value if value is None or isinstance(value, str) else _listed(value) for value in values]
    try:
        key.encode()
        return pl.Series(texts, dtype=pl.String())
    except UnicodeEncodeError as error:
        row = next((row for row, text in enumerate(texts) if _is_broken(text)), 0)
        raise invalid(f"{name}, row {row + 1}, column {key}: half a character ({error}); mend its encoding") from error


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _is_broken(text: str | None) -> bool:
    return text is not None and any("\ud800" <= character <= "\udfff" for character in text)


def _parsed(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid(f"{where}: no whole JSON ({first_line(error)}); {CUT}") from error


_READERS: dict[str, Callable[[str, bytes], Sheet]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".json": _read_json,
}
