"""A CSV file as a sheet, read by Polars. Every cell is text.

Polars reads malformed rows in its own way, so quotes and the number of fields are checked first, on the bytes: that
also gives the line of each row. Nothing here changes a setting of the process, so files can be read at the same time.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.outside.sheet import CUT, Sheet, first_line, invalid, shown

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
