"""CSV with commas, semicolons or tabs, as a sheet of text.

Polars fills short rows and guesses at stray quotes, so the file is first split into records by the grammar of CSV, all
of them at once; that also gives the line of each row. Then Polars reads the cells.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.errors import first_line
from warehouse.exchange.numbers import has_decimal_commas
from warehouse.exchange.reading.content import extension, utf_8
from warehouse.exchange.sheet import CUT, Sheet, invalid, shown
from warehouse.spreadsheets import restored

_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}
_QUOTE, _RETURN, _FEED = (ord(character) for character in '"\r\n')
_LINE_BREAK = re.compile(rb"\r\n?|\n")
_SEPARATOR_LINE = re.compile(rb'"?sep=([,;\t])"?(?:\r\n?|\n)')
_THOUSANDS = r"^\s*[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+\s*$"
UNNAMED = "Unnamed: 0"
"""What pandas calls a first column without a name, which is its index."""


class _Records(NamedTuple):
    """Where each record that is not blank begins and ends in the content, the line on which it ends, its fields."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]
    fields: NDArray[np.int64]


def read_delimited(name: str, content: bytes) -> Sheet:
    """A CSV file as a sheet of text.

    Raises InvalidRows for wrong quotes, another encoding, a row of another length, or a last line without a line break.
    """
    content = utf_8(name, content)
    first = _SEPARATOR_LINE.match(content)  # written by and for Excel
    if first:
        delimiter, skipped, content = first[1].decode(), 1, content[first.end() :]
    else:
        delimiter, skipped = _delimiter(name, content), 0
    records = _records(name, content, delimiter)
    lines = records.lines + skipped
    if not len(lines):
        raise invalid(f"{name}, line 1: got no columns; each has to have a name")
    _check_encoding(name, content, records, delimiter)
    header = _header(name, content, records, delimiter)
    _check_rows(name, header, records, lines, delimiter)
    if not content.endswith((b"\n", b"\r")):  # else the first digits of a score would pass for the whole of it
        where = f"{name}, row {len(lines) - 1} (line {lines[-1]}), column {header[-1]}"
        raise invalid(f"{where}: the last line does not end; {CUT}, or add a line break if it is whole")
    frame = restored(_cells(name, _joined(content, records), header, delimiter))
    first_line_of_rows, last = (int(lines[1]), int(lines[-1])) if len(lines) > 1 else (0, -1)
    regular = last - first_line_of_rows + 2 == len(lines)
    rows: Sequence[int] = range(first_line_of_rows, last + 1) if regular else lines[1:].tolist()
    commas = [column.name for column in frame if has_decimal_commas(column)]
    if delimiter == "," and all(_may_be_thousands(frame[column]) for column in commas):
        commas = []
    notes = (f"{name}: numbers in {', '.join(commas)} have decimal commas",) if commas else ()
    return Sheet(name, frame, rows, notes, decimal_comma=bool(commas))


def _delimiter(name: str, content: bytes) -> str:
    """The one that makes the most columns of the first line; commas, in a file named .tsv tabs, if several do."""
    order = "\t,;" if extension(name) == ".tsv" else ",;\t"
    counts = {}
    for delimiter in order:
        match = re.compile(_fields(delimiter)).match(content.lstrip(b"\r\n"))
        counts[delimiter] = _delimiters(match[0], delimiter) if match else 0
    return max(order, key=lambda delimiter: counts[delimiter])


def _may_be_thousands(column: pl.Series) -> bool:
    """Whether all numbers with a comma may be 1,234 as well as 1.234."""
    return bool(column.filter(column.str.contains(",", literal=True)).str.contains(_THOUSANDS).all())


def _fields(delimiter: str) -> bytes:
    """The grammar of one record, as a regular expression."""
    field = rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^"%b\r\n]*+)' % delimiter.encode()
    return field + rb"(?:" + delimiter.encode() + field + rb")*+"


def _records(name: str, content: bytes, delimiter: str) -> _Records:
    data = np.frombuffer(content, np.uint8)
    quotes = np.flatnonzero(data == _QUOTE)
    breaks = np.flatnonzero((data == _FEED) | (data == _RETURN))
    delimiters = np.flatnonzero(data == ord(delimiter))
    is_second = (data[breaks] == _FEED) & (breaks > 0) & (data[breaks - 1] == _RETURN) if len(breaks) else breaks > 0
    breaks = breaks[~is_second]  # the first byte of each line break
    outer = breaks
    if len(quotes):
        outer, delimiters = (places[np.searchsorted(quotes, places) % 2 == 0] for places in (breaks, delimiters))
        _check_quotes(name, content, quotes, outer, delimiter)
    is_pair = (data[outer] == _RETURN) & (outer + 1 < len(data))
    is_pair[is_pair] = data[outer[is_pair] + 1] == _FEED
    starts = np.concatenate([[0], outer + 1 + is_pair])
    ends = np.concatenate([outer, [len(data)]])
    lines = np.searchsorted(breaks, ends) + 1
    fields = np.searchsorted(delimiters, ends) - np.searchsorted(delimiters, starts) + 1
    filled = starts < ends
    return _Records(starts[filled], ends[filled], lines[filled], fields[filled])


def _check_quotes(
    name: str, content: bytes, quotes: NDArray[np.int64], breaks: NDArray[np.int64], delimiter: str
) -> None:
    """Every opening quote follows a delimiter, a line break or another quote, every closing one is before one."""
    around = np.zeros(256, dtype=np.bool_)
    around[[ord(delimiter), _RETURN, _FEED, _QUOTE]] = True
    data = np.frombuffer(b"\n" + content + b"\n", np.uint8)  # as if there were a line before and one after
    right = np.where(np.arange(len(quotes)) % 2 == 0, around[data[quotes]], around[data[quotes + 2]])
    if right.all() and len(quotes) % 2 == 0:
        return
    place = quotes[-1] if right.all() else quotes[np.argmin(right)]
    before = breaks[breaks < place]
    start = int(before[-1]) if len(before) else 0
    start = len(content) - len(content[start:].lstrip(b"\r\n"))
    fields = re.compile(_fields(delimiter)).match(content, start)
    place = fields.end() if fields else start
    where = f"{name}, line {len(_LINE_BREAK.findall(content[:place])) + 1}: no CSV"
    if content[place : place + 1] == b'"' and (place == start or content[place - 1 : place] == delimiter.encode()):
        raise invalid(f"{where} (unexpected end of data); close the quotes, or {CUT}")
    raise invalid(f"{where} (a quote in the middle of a field); put the field in quotes and double those within it")


def _delimiters(record: bytes, delimiter: str) -> int:
    """How many delimiters separate fields; the record may be cut off within quotes."""
    return re.sub(rb'"[^"]*(?:"|\Z)', b"", record).count(delimiter.encode())


def _check_encoding(name: str, content: bytes, records: _Records, delimiter: str) -> None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        wrong = f"byte 0x{content[error.start]:02x} is no UTF-8; save the whole file as UTF-8"
        row = int(np.searchsorted(records.starts, error.start, side="right")) - 1
        if row == 0:
            raise invalid(f"{name}, line 1: {wrong}") from error
        header = _header(name, content, records, delimiter)
        before = content[records.starts[row] : error.start]
        column = header[min(_delimiters(before, delimiter), len(header) - 1)]
        raise invalid(f"{name}, row {row} (line {records.lines[row]}), column {column}: {wrong}") from error


def _header(name: str, content: bytes, records: _Records, delimiter: str) -> list[str]:
    """The names of the columns; a first one without a name is pandas' index."""
    columns = [str(number) for number in range(int(records.fields[0]))]
    first = content[records.starts[0] : records.ends[0]] + b"\n"
    header = [column.strip() for column in _cells(name, first, columns, delimiter).row(0)]
    if len(header) > 1 and not header[0] and all(header[1:]) and UNNAMED not in header:
        header[0] = UNNAMED
    if not all(header):
        raise invalid(f"{name}, line 1: got columns {shown(header)}; each has to have a name")
    repeated = [column for column in header if header.count(column) > 1]
    if repeated:
        raise invalid(f"{name}, line 1, column {repeated[0]}: it is there twice; leave one out")
    return header


def _check_rows(name: str, header: list[str], records: _Records, lines: NDArray[np.int64], delimiter: str) -> None:
    wrong = np.flatnonzero(records.fields != len(header))
    if len(wrong):
        row, count = int(wrong[0]), int(records.fields[wrong[0]])
        few = count < len(header)
        where = f"{name}, row {row} (line {lines[row]}), column {header[count] if few else header[-1]}"
        remedy = CUT if few else f"put fields with {_NAMES[delimiter]} in quotes"
        if len(header) == 1:
            remedy = f"the first line has to name the columns, got {shown(header[0])}"
        raise invalid(f"{where}: got {count} fields, wanted {len(header)}; {remedy}")


def _joined(content: bytes, records: _Records) -> bytes:
    """The records below the header with a line feed after each, as Polars wants them."""
    if len(records.starts) < 2:
        return b""
    starts, ends = records.starts[1:], records.ends[1:]
    if np.array_equal(starts[1:], ends[:-1] + 1) and content.endswith(b"\n") and b"\r" not in content:
        return content[starts[0] :]
    pieces = (content[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True))
    return b"\n".join(pieces) + b"\n"


def _cells(name: str, rows: bytes, columns: list[str], delimiter: str) -> pl.DataFrame:
    schema = dict.fromkeys(columns, pl.String())
    if not rows:
        return pl.DataFrame(schema=schema)
    try:
        return pl.read_csv(
            io.BytesIO(rows), has_header=False, schema=schema, separator=delimiter, empty_string_is_null=False
        )
    except pl.exceptions.PolarsError as error:
        raise invalid(f"{name}: no CSV ({first_line(error)}); {CUT}") from error
