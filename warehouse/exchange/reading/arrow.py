"""Parquet and Arrow files: their columns as they are, in fewer types."""

from __future__ import annotations

import io
import json
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.errors import first_line
from warehouse.exchange.reading.content import Kind
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


class ArrowFile(NamedTuple):
    """A frame with the file's own types, and the columns that pandas wrote as its index."""

    frame: pl.DataFrame
    index_columns: tuple[str, ...]


def read_arrow(name: str, content: bytes, kind: Kind) -> ArrowFile:
    """A Parquet or Arrow file as it is. Raises InvalidRows if it is none, or not whole."""
    try:
        if kind is Kind.PARQUET:
            frame = pl.read_parquet(io.BytesIO(content))
            metadata = pq.read_schema(pa.BufferReader(content)).metadata
        elif content.startswith(b"ARROW1"):
            frame = pl.read_ipc(io.BytesIO(content))
            metadata = pa.ipc.open_file(pa.BufferReader(content)).schema.metadata
        else:
            frame = pl.read_ipc_stream(io.BytesIO(content))
            metadata = pa.ipc.open_stream(pa.BufferReader(content)).schema.metadata
    except _UNREADABLE as error:
        raise invalid(f"{name}: no whole {kind.value} file ({first_line(error)}); {CUT}") from error
    return ArrowFile(frame, pandas_index(metadata))


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
