"""A CSV file as a sheet, read by Polars. Every cell is text.

Polars reads malformed rows in its own way, so quotes and the number of fields are checked first, on the bytes: that
also gives the line of each row. Nothing here changes a setting of the process, so files can be read at the same time.

A JSON or JSONL file as a sheet. Columns are text, integers or floats; lists and objects are kept as JSON text.

One file as a sheet: Parquet, CSV, JSONL or JSON.

A column comes out as text, integers or floats; lists and objects as JSON text, so that a list and a string-encoded list
are the same thing from here on.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.exchange.sheet import CUT, Sheet, broken, decoded, first_line, invalid, shown

_QUOTE, _COMMA, _LF, _CR = b'",\n\r'
_BOM = b"\xef\xbb\xbf"


def read_csv(name: str, content: bytes) -> Sheet:
    """Raises InvalidRows for wrong quotes, another encoding, a row of another length, a last line that does not end."""
    records = _records(name, content.removeprefix(_BOM))
    _check_encoding(name, records)
    header = [column.strip() for column in _header(name, records)]
    _check_header(name, header)
    counts = records.fields[1:]
    wrong = np.flatnonzero(counts != len(header))
    if len(wrong):
        row, count = int(wrong[0]), int(counts[wrong[0]])
        few = count < len(header)
        raise invalid(
            f"{_place(name, records, row + 1)}, column {header[count] if few else header[-1]}: got {count} fields, "
            f"wanted {len(header)}; {CUT if few else 'put fields with commas in quotes'}"
        )
    if not content.endswith((b"\n", b"\r")):  # else the first digits of a score would pass for the whole of it
        raise invalid(
            f"{_place(name, records, len(counts))}, column {header[-1]}: the last line does not end; {CUT}, "
            "or add a line break if it is whole"
        )
    body = records.content[records.ends[0] + 1 :]
    return Sheet(name, _parsed(name, body, header), records.lines[1:].tolist())


@dataclass(frozen=True)
class _Records:
    """Where the records of a file are, the header first and blank lines left out; `content` ends with a line break.

    Of each record: the position of the line break that ends it, the line that it ends on, and its number of fields.
    `commas` are the positions of those between fields.
    """

    content: bytes
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]
    fields: NDArray[np.int64]
    commas: NDArray[np.int64]


def _records(name: str, content: bytes) -> _Records:
    text = np.frombuffer(content + b"\n" * (not content.endswith((b"\n", b"\r"))), dtype=np.uint8).copy()
    quotes = text == _QUOTE
    inside = np.logical_xor.accumulate(quotes)  # doubled quotes leave a field and enter it again
    before, after = np.roll(text, 1), np.roll(text, -1)
    before[0], after[-1] = _LF, _COMMA
    alone = (text == _CR) & (after != _LF)  # the line break of old Macs
    lines = np.cumsum((text == _LF) | alone)
    neighbours = np.where(inside, before, after)[quotes]
    stray = np.flatnonzero(quotes)[~np.isin(neighbours, (_QUOTE, _COMMA, _LF, _CR))]
    if len(stray):
        line = int(lines[stray[0]] + 1)
        raise invalid(
            f"{name}, line {line}: no CSV (a quote in the middle of a field); put the field in quotes and double those "
            "within it"
        )
    if inside[-1]:
        line = int(lines[np.flatnonzero(quotes)[-1]] + 1)
        raise invalid(f"{name}, line {line}: no CSV (unexpected end of data); close the quotes, or {CUT}")
    text[alone & ~inside] = _LF
    ends = np.flatnonzero((text == _LF) & ~inside)
    starts = np.append(0, ends[:-1] + 1)
    blank = (ends == starts) | ((ends == starts + 1) & (text[starts] == _CR))
    if blank.any():
        keep = np.ones(len(text), dtype=bool)
        keep[ends[blank]] = keep[starts[blank]] = False
        text, lines, inside = text[keep], lines[keep], inside[keep]
        ends = np.flatnonzero((text == _LF) & ~inside)
    if not len(ends):
        raise invalid(f"{name}, line 1: got no columns; each has to have a name")
    commas = np.flatnonzero((text == _COMMA) & ~inside)
    fields = np.diff(np.searchsorted(commas, ends), prepend=0) + 1
    return _Records(text.tobytes(), ends, lines[ends], fields, commas)


def _place(name: str, records: _Records, row: int) -> str:
    """Where a record is, as a person counts; the header is row 0."""
    return f"{name}, row {row} (line {records.lines[row]})"


def _check_encoding(name: str, records: _Records) -> None:
    try:
        records.content.decode()
    except UnicodeDecodeError as error:
        row = int(np.searchsorted(records.ends, error.start))
        wrong = f"byte 0x{records.content[error.start]:02x} is no UTF-8; save the whole file as UTF-8"
        if row == 0:
            raise invalid(f"{name}, line 1: {wrong}") from error
        first, here = np.searchsorted(records.commas, (records.ends[row - 1], error.start))
        header = _header(name, records)
        column = header[min(int(here - first), len(header) - 1)].strip()
        raise invalid(f"{_place(name, records, row)}, column {column}: {wrong}") from error


def _header(name: str, records: _Records) -> list[str]:
    columns = [str(number) for number in range(int(records.fields[0]))]
    return list(_parsed(name, records.content[: records.ends[0] + 1], columns).row(0))


def _parsed(name: str, rows: bytes, columns: list[str]) -> pl.DataFrame:
    schema = dict.fromkeys(columns, pl.String())
    if not rows:
        return pl.DataFrame(schema=schema)
    try:
        return pl.read_csv(io.BytesIO(rows), has_header=False, schema=schema, empty_string_is_null=False)
    except pl.exceptions.PolarsError as error:
        raise invalid(f"{name}: no CSV ({first_line(error)}); {CUT}") from error


def _check_header(name: str, header: list[str]) -> None:
    if not all(header):
        raise invalid(f"{name}, line 1: got columns {shown(header)}; each has to have a name")
    twice = [column for column in header if header.count(column) > 1]
    if twice:
        raise invalid(f"{name}, line 1, column {twice[0]}: it is there twice; leave one out")


_INT64 = 1 << 63


def read_jsonl(name: str, content: bytes) -> Sheet:
    """One object a line; lines with nothing on them are left out."""
    items: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(decoded(content).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{name}, row {len(items) + 1} (line {number})"
        item = _json_file_parsed(where, line)
        if not isinstance(item, dict):
            raise invalid(f"{where}: got {shown(item)}; every line is one object")
        items.append(item)
        lines.append(number)
    return _of_items(name, items, lines)


def read_json(name: str, content: bytes) -> Sheet:
    """A list of objects, or one object of columns with constants beside them, as RewardBench saves its scores."""
    found = _json_file_parsed(name, decoded(content))
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


def _json_file_parsed(where: str, text: str) -> Any:
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
