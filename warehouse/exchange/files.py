"""One file as a sheet: Parquet, CSV, JSONL or JSON.

A column becomes text, integers or floats; lists and objects become JSON text, so that a list and a string-encoded list
are the same from here on. No reader changes a setting of the process, so files can be read at the same time.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from warehouse.errors import first_line
from warehouse.exchange.sheet import CUT, Sheet, broken, decoded, invalid, shown

_INT64 = 1 << 63
_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, TypeError, OverflowError)


def read_sheet(path: Path) -> Sheet:
    """Read one file. Raises InvalidRows if it is missing, empty, cut off, of another encoding or of unknown kind."""
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


# CSV ------------------------------------------------------------------------------------------------------------------

_FIELDS = rb"FIELD(?:,FIELD)*+".replace(b"FIELD", rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^",\r\n]*+)')
_RECORD = re.compile(rb"(%b)(?:\r\n?|\n|\Z)" % _FIELDS)
_QUOTED = re.compile(rb'"[^"]*(?:"|\Z)')
_LINE_BREAK = re.compile(rb"\r\n?|\n")


def read_csv(name: str, content: bytes) -> Sheet:
    """A CSV file as a sheet of text.

    Polars fills short rows and guesses at stray quotes, so the file is first split into records by the grammar of CSV;
    that also gives the line of each row. Raises InvalidRows for wrong quotes, another encoding, a row of another
    length, or a last line without a line break.
    """
    records, lines = _records(name, content.removeprefix(b"\xef\xbb\xbf"))
    if not records:
        raise invalid(f"{name}, line 1: got no columns; each has to have a name")
    _check_encoding(name, records, lines)
    header = _header(name, records)
    if not all(header):
        raise invalid(f"{name}, line 1: got columns {shown(header)}; each has to have a name")
    repeated = [column for column in header if header.count(column) > 1]
    if repeated:
        raise invalid(f"{name}, line 1, column {repeated[0]}: it is there twice; leave one out")
    for row, record in enumerate(records):
        count = _commas(record) + 1
        if count != len(header):
            few = count < len(header)
            where = f"{name}, row {row} (line {lines[row]}), column {header[count] if few else header[-1]}"
            remedy = CUT if few else "put fields with commas in quotes"
            raise invalid(f"{where}: got {count} fields, wanted {len(header)}; {remedy}")
    if not content.endswith((b"\n", b"\r")):  # else the first digits of a score would pass for the whole of it
        where = f"{name}, row {len(records) - 1} (line {lines[-1]}), column {header[-1]}"
        raise invalid(f"{where}: the last line does not end; {CUT}, or add a line break if it is whole")
    return Sheet(name, _parsed(name, records[1:], header), lines[1:])


def _records(name: str, content: bytes) -> tuple[list[bytes], list[int]]:
    """Every record that is not blank, the header first, and the line on which each ends."""
    records, lines = [], []
    line = position = 0
    while position < len(content):
        match = _RECORD.match(content, position)
        if match is None:
            raise _wrong_quote(name, content, position)
        record, position = match[1], match.end()
        line += 1 + (len(_LINE_BREAK.findall(record)) if b'"' in record else 0)
        if record:
            records.append(record)
            lines.append(line)
    return records, lines


def _wrong_quote(name: str, content: bytes, start: int) -> Exception:
    """The error for the record that begins at `start` and does not follow the grammar."""
    fields = re.compile(_FIELDS).match(content, start)
    place = fields.end() if fields else start
    where = f"{name}, line {len(_LINE_BREAK.findall(content[:place])) + 1}: no CSV"
    if content[place : place + 1] == b'"' and (place == start or content[place - 1 : place] == b","):
        return invalid(f"{where} (unexpected end of data); close the quotes, or {CUT}")
    return invalid(f"{where} (a quote in the middle of a field); put the field in quotes and double those within it")


def _commas(record: bytes) -> int:
    """How many commas separate fields; the record may be cut off within quotes."""
    return (_QUOTED.sub(b"", record) if b'"' in record else record).count(b",")


def _check_encoding(name: str, records: list[bytes], lines: list[int]) -> None:
    for row, record in enumerate(records):
        try:
            record.decode()
        except UnicodeDecodeError as error:
            wrong = f"byte 0x{record[error.start]:02x} is no UTF-8; save the whole file as UTF-8"
            if row == 0:
                raise invalid(f"{name}, line 1: {wrong}") from error
            header = _header(name, records)
            column = header[min(_commas(record[: error.start]), len(header) - 1)]
            raise invalid(f"{name}, row {row} (line {lines[row]}), column {column}: {wrong}") from error


def _header(name: str, records: list[bytes]) -> list[str]:
    columns = [str(number) for number in range(_commas(records[0]) + 1)]
    return [column.strip() for column in _parsed(name, records[:1], columns).row(0)]


def _parsed(name: str, records: list[bytes], columns: list[str]) -> pl.DataFrame:
    schema = dict.fromkeys(columns, pl.String())
    if not records:
        return pl.DataFrame(schema=schema)
    rows = io.BytesIO(b"\n".join(records) + b"\n")
    try:
        return pl.read_csv(rows, has_header=False, schema=schema, empty_string_is_null=False)
    except pl.exceptions.PolarsError as error:
        raise invalid(f"{name}: no CSV ({first_line(error)}); {CUT}") from error


# JSON -----------------------------------------------------------------------------------------------------------------


def read_jsonl(name: str, content: bytes) -> Sheet:
    """One object a line; blank lines are skipped."""
    items: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(decoded(content).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{name}, row {len(items) + 1} (line {number})"
        item = _parsed_json(where, line)
        if not isinstance(item, dict):
            raise invalid(f"{where}: got {shown(item)}; every line is one object")
        items.append(item)
        lines.append(number)
    return _of_items(name, items, lines)


def read_json(name: str, content: bytes) -> Sheet:
    """A list of objects, or one object of columns with constants beside them, as RewardBench saves its scores."""
    value = _parsed_json(name, decoded(content))
    if isinstance(value, dict):
        lengths = {len(cells) for cells in value.values() if isinstance(cells, list)}
        if len(lengths) != 1:
            raise invalid(f"{name}: got an object with lists of lengths {sorted(lengths)}; the columns have one length")
        (length,) = lengths
        return _of_columns(
            name, {key: cells if isinstance(cells, list) else [cells] * length for key, cells in value.items()}
        )
    if not isinstance(value, list):
        raise invalid(f"{name}: got {shown(value)}; wanted a list of objects")
    for number, item in enumerate(value, 1):
        if not isinstance(item, dict):
            raise invalid(f"{name}, row {number}: got {shown(item)}; wanted an object")
    return _of_items(name, value)


def as_json(value: Any) -> str:
    """A list or an object as JSON text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _parsed_json(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid(f"{where}: {broken(text) or f'no whole JSON ({first_line(error)}); {CUT}'}") from error


def _of_items(name: str, items: list[dict[str, Any]], lines: Sequence[int] | None = None) -> Sheet:
    keys = dict.fromkeys(key for item in items for key in item)
    return _of_columns(name, {key: [item.get(key) for item in items] for key in keys}, lines)


def _of_columns(name: str, columns: dict[str, list[Any]], lines: Sequence[int] | None = None) -> Sheet:
    sheet = Sheet(name, pl.DataFrame(), lines)
    for key in columns:
        if broken(key):
            raise invalid(f"{name}, column {shown(key)}: {broken(key)}")
    return Sheet(name, pl.DataFrame({key: _column(sheet, key, values) for key, values in columns.items()}), lines)


def _column(sheet: Sheet, key: str, values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {int} and all(value is None or -_INT64 <= value < _INT64 for value in values):
        return pl.Series(values, dtype=pl.Int64())
    if kinds in ({float}, {int, float}):
        # by way of text an integer of hundreds of digits is infinite instead of an OverflowError
        floats = [None if value is None else float(str(value)) for value in values]
        return pl.Series(floats, dtype=pl.Float64())
    texts = [value if value is None or isinstance(value, str) else as_json(value) for value in values]
    try:
        return pl.Series(texts, dtype=pl.String())
    except UnicodeEncodeError as error:
        row, text = next((row, text) for row, text in enumerate(texts) if text and broken(text))
        raise invalid(f"{sheet.at(row)}, column {key}: {broken(text)}") from error


# Parquet --------------------------------------------------------------------------------------------------------------


def read_parquet(name: str, content: bytes) -> pl.DataFrame:
    """A Parquet file as it is. Raises InvalidRows if it is none, or not whole."""
    try:
        return pl.read_parquet(io.BytesIO(content))
    except _UNREADABLE as error:
        raise invalid(f"{name}: no whole Parquet file ({first_line(error)}); {CUT}") from error


def _read_parquet(name: str, content: bytes) -> Sheet:
    frame = read_parquet(name, content)
    try:
        return Sheet(name, frame.select(_plain(column) for column in frame))
    except _UNREADABLE as error:
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
"""File name extensions that can be read."""
