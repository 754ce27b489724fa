"""Parquet and Arrow files: their columns as they are, in fewer types."""

from __future__ import annotations

import io
import json
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.errors import InvalidRows, first_line
from warehouse.exchange.reading.content import Kind
from warehouse.exchange.reading.limits import COMMAND_LINE, Limits
from warehouse.exchange.sheet import CUT, Sheet, invalid

_UNREADABLE = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    pa.ArrowException,
    OSError,
    ValueError,
    TypeError,
    OverflowError,
)

_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12, "BYTE_ARRAY": 16}
"""Bytes of a value in memory by its type in Parquet; a text has at least its place and length."""


class ArrowFile(NamedTuple):
    """A frame with the file's own types, and the columns that pandas wrote as its index."""

    frame: pl.DataFrame
    index_columns: tuple[str, ...]


def read_arrow(name: str, content: bytes, kind: Kind, limits: Limits = COMMAND_LINE) -> ArrowFile:
    """A Parquet or Arrow file as it is. Raises InvalidRows if it is none, not whole, or too large."""
    try:
        _check_size(name, content, kind, limits)
        if kind is Kind.PARQUET:
            frame = pl.read_parquet(io.BytesIO(content))
            metadata = pq.read_schema(pa.BufferReader(content)).metadata
        elif content.startswith(b"ARROW1"):
            frame = pl.read_ipc(io.BytesIO(content))
            metadata = pa.ipc.open_file(pa.BufferReader(content)).schema.metadata
        else:
            frame = pl.read_ipc_stream(io.BytesIO(content))
            metadata = pa.ipc.open_stream(pa.BufferReader(content)).schema.metadata
    except InvalidRows:
        raise
    except _UNREADABLE as error:
        raise invalid(f"{name}: no whole {kind.value} file ({first_line(error)}); {CUT}") from error
    return ArrowFile(frame, pandas_index(metadata))


def _check_size(name: str, content: bytes, kind: Kind, limits: Limits) -> None:
    """Look at rows and sizes before anything is decoded. An Arrow file tells its rows only."""
    if kind is Kind.PARQUET:
        footer = pq.read_metadata(pa.BufferReader(content))
        limits.check(name, footer.num_rows, _decoded_bytes(footer))
        return
    first = pa.ipc.IpcReadOptions(included_fields=[0])  # the other columns are not decompressed
    rows = 0
    if content.startswith(b"ARROW1"):
        file = pa.ipc.open_file(pa.BufferReader(content), options=first)
        batches = (file.get_batch(number) for number in range(file.num_record_batches))
    else:
        batches = iter(pa.ipc.open_stream(pa.BufferReader(content), options=first))
    for batch in batches:
        rows += batch.num_rows
        limits.check(name, rows)


def _decoded_bytes(footer: pq.FileMetaData) -> int:
    """At least what a Parquet file takes in memory: values may be stored in less than their width."""
    total = 0
    for group in (footer.row_group(number) for number in range(footer.num_row_groups)):
        for place in range(group.num_columns):
            column = group.column(place)
            width = _WIDTHS.get(column.physical_type) or footer.schema.column(place).length
            total += max(column.total_uncompressed_size, column.num_values * width)
    return total


def pandas_index(metadata: dict[bytes, bytes] | None) -> tuple[str, ...]:
    """The columns that the metadata of a schema declare to be pandas' index."""
    try:
        index = json.loads((metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):
        return ()
    return tuple(column for column in index if isinstance(column, str)) if isinstance(index, list) else ()


def plain(name: str, frame: pl.DataFrame, index: tuple[str, ...] = ()) -> Sheet:
    """A sheet of texts, integers, floats, booleans, lists and objects; columns of bytes and durations are left out.

    `index` are the columns that the file declares to be pandas' index.
    """
    columns, notes = [], []
    for column in frame:
        if column.dtype in (pl.Binary(), pl.Duration):
            kind = "bytes" if column.dtype == pl.Binary() else "a duration"
            notes.append(f"{name}: column {column.name} ({kind}) is left out")
            continue
        try:
            columns.append(_plain(column))
        except _UNREADABLE as error:
            message = f"{name}, column {column.name}: no text, numbers or lists ({first_line(error)}); cast it"
            raise invalid(message) from error
    return Sheet(name, pl.DataFrame(columns), notes=tuple(notes), index=index)


def _plain(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if isinstance(dtype, pl.Array):
        return column.arr.to_list()
    if dtype.is_nested() or dtype in (pl.Boolean(), pl.Object()):
        return column
    if dtype.is_integer():
        whole = column.cast(pl.Int64(), strict=False)
        return whole if whole.null_count() == column.null_count() else column.cast(pl.String())
    return column.cast(pl.Float64() if dtype.is_numeric() else pl.String())
