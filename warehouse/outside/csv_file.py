"""A CSV file as a sheet, by Python's own parser, which knows the line of what it rejects. Every cell is text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import polars as pl

from warehouse.outside.sheet import CUT, Sheet, broken, decoded, invalid, shown

_CHUNK_ROWS = 100_000
_FIELD_CHARACTERS = 1 << 28


def read_csv(name: str, content: bytes) -> Sheet:
    """Raises InvalidRows for a row of another length, quotes that do not close, and a last line that does not end."""
    rows = csv.reader(io.StringIO(decoded(content), newline=""), strict=True)
    limit = csv.field_size_limit(_FIELD_CHARACTERS)
    try:
        header = [column.strip() for column in next(rows, [])]
        _check_header(name, header)
        lines: list[int] = []
        chunks = list(_chunks(name, header, rows, lines))
    except csv.Error as error:
        raise invalid(f"{name}, line {rows.line_num}: no CSV ({error}); close the quotes, or {CUT}") from error
    finally:
        csv.field_size_limit(limit)
    if not content.endswith((b"\n", b"\r")):  # else the first digits of a score would pass for the whole of it
        raise invalid(
            f"{name}, row {len(lines)} (line {rows.line_num}), column {header[-1]}: the last line does not end; {CUT}, "
            "or add a line break if it is whole"
        )
    return Sheet(name, pl.concat(chunks), lines)


def _check_header(name: str, header: list[str]) -> None:
    if broken("".join(header)):
        raise invalid(f"{name}, line 1: {broken(''.join(header))}")
    if not header or not all(header):
        raise invalid(f"{name}, line 1: got columns {shown(header)}; each has to have a name")
    twice = [column for column in header if header.count(column) > 1]
    if twice:
        raise invalid(f"{name}, line 1, column {twice[0]}: it is there twice; leave one out")


def _chunks(name: str, header: list[str], rows: Any, lines: list[int]) -> Iterator[pl.DataFrame]:
    """Frames of so many rows each: a list of all rows would take several times their memory."""
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
            yield _frame(name, header, chunk, lines)
            chunk = []
    yield _frame(name, header, chunk, lines)


def _frame(name: str, header: list[str], chunk: list[list[str]], lines: list[int]) -> pl.DataFrame:
    try:
        return pl.DataFrame(chunk, schema=dict.fromkeys(header, pl.String()), orient="row")
    except UnicodeEncodeError as error:
        first = len(lines) - len(chunk)
        row, column, text = next(
            (row, column, text)
            for row, cells in enumerate(chunk, first)
            for column, text in zip(header, cells, strict=True)
            if broken(text)
        )
        raise invalid(f"{name}, row {row + 1} (line {lines[row]}), column {column}: {broken(text)}") from error
