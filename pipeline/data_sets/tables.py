"""Files with rows, from a file, a folder or an `hf://` path: everything that `warehouse.exchange.reading` reads.

Large files are never whole in memory as rows: Parquet is read by row groups and only the columns that are asked for,
JSON Lines part by part. The others are read whole, by readers that name the line of an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.data_sets.pairs import Row
from pipeline.errors import InvalidDataSet
from warehouse.errors import InvalidRows, first_line
from warehouse.exchange.reading import EXTENSIONS, ColumnMap, sheet_of
from warehouse.exchange.reading.arrow import plain
from warehouse.exchange.reading.columns import Columns
from warehouse.exchange.reading.content import Kind, content_of, is_readable, kind_of, utf_8
from warehouse.exchange.reading.json_rows import is_lines, parts
from warehouse.exchange.reading.mapping import ColumnPath, path_in, value_at
from warehouse.exchange.sheet import CUT
from warehouse.files import special

_SCANNERS: dict[str, Callable[[str], pl.LazyFrame]] = {
    ".parquet": pl.scan_parquet,
    ".jsonl": pl.scan_ndjson,
    ".csv": pl.scan_csv,
}
_HUB = "hf://"
_HUB_ADVICE = (
    "give e.g. hf://datasets/OWNER/NAME/data/train-*.parquet, or hf://datasets/OWNER/NAME@~parquet/**/*.parquet"
)
_BATCH_ROWS = 4096
_UNREADABLE = (pl.exceptions.PolarsError, pa.ArrowException, OSError)


@dataclass(frozen=True)
class Table:
    """A file's rows, read when they are asked for.

    `paths` says where each column is: which one of the file's own it is, or where in the objects of one. `read` gives
    frames of the file's own columns, of which the first `limit` rows are enough.
    """

    name: str
    paths: Mapping[str, ColumnPath]
    read: Callable[[tuple[str, ...], int | None], Iterator[pl.DataFrame]]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.paths)

    def rows(self, columns: tuple[str, ...], limit: int | None = None) -> Iterator[Row]:
        """The columns of all rows, or of the first `limit`. Raises InvalidDataSet if they cannot be read."""
        paths = [(name, *self.paths[name]) for name in columns]
        own = tuple(dict.fromkeys(column for _, column, _ in paths))
        rows = (row for frame in self.read(own, limit) for row in frame.iter_rows(named=True))
        try:
            for row in islice(rows, limit):
                yield {name: value_at(row[column], keys) for name, column, keys in paths}
        except InvalidRows as error:
            raise InvalidDataSet(str(error)) from error
        except _UNREADABLE as error:
            raise InvalidDataSet(f"{self.name}: cannot be read ({first_line(error)}); {CUT}") from error


def tables(place: str, columns: ColumnMap | None = None) -> Iterator[Table]:
    """The files at a place, one after the other; a folder's files, also in its subfolders, sorted by path.

    `columns` says what some of their columns are. Raises InvalidDataSet for a place that does not exist, has no file of
    a known kind, or one that cannot be read, and if a file has none of the `columns`.
    """
    for table in _tables(place):
        yield _mapped(table, columns) if columns else table


def _tables(place: str) -> Iterator[Table]:
    if place.startswith(_HUB):
        yield _of_hub(place)
        return
    path = Path(place)
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and is_readable(file))
        if not files:
            raise InvalidDataSet(f"{place}: no file in this folder ends with one of {', '.join(EXTENSIONS)}; add one")
    for file in files:
        yield _of_file(file)


def _mapped(table: Table, columns: ColumnMap) -> Table:
    """The table with columns under the names that the user gave."""
    given = {name: path_in(table.columns, path) for name, path in columns.sources.items()}
    paths = {name: path for name, path in given.items() if path is not None}
    if not paths:
        name, path = next(iter(columns.sources.items()))
        known = ", ".join(table.columns)
        raise InvalidDataSet(f"{table.name}: --map {name}={path}: no column {path}; the columns are {known}")
    renamed = {path.column for path in paths.values() if not path.keys}
    others = {name: path for name, path in table.paths.items() if name not in renamed}
    return replace(table, paths=others | paths)


def _of_frame(name: str, frame: pl.LazyFrame) -> Table:
    def read(columns: tuple[str, ...], limit: int | None) -> Iterator[pl.DataFrame]:
        yield from frame.select(columns).slice(0, limit).collect().iter_slices(_BATCH_ROWS)

    return Table(name, _own(frame.collect_schema().names()), read)


def _own(columns: Iterable[str]) -> dict[str, ColumnPath]:
    return {name: ColumnPath(name, ()) for name in columns}


def _of_hub(place: str) -> Table:
    extension = Path(place).suffix.lower()
    if extension not in _SCANNERS:
        raise InvalidDataSet(
            f"{place}: files that end with {extension!r} cannot be read from the hub, only {', '.join(_SCANNERS)}; "
            f"{_HUB_ADVICE}"
        )
    try:
        return _of_frame(place, _SCANNERS[extension](place))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidDataSet(
            f"{place}: cannot be read ({first_line(error)}); check network and path, or download it: {_HUB_ADVICE}"
        ) from error


def _of_file(path: Path) -> Table:
    try:
        if path.suffix.lower() == ".parquet" and not special(path):
            return _of_parquet(path)
        content = content_of(path)
        kind = kind_of(path.name, content)
        if kind in (Kind.JSON, Kind.LINES):
            text = utf_8(path.name, content)
            if is_lines(text, lines_first=kind is Kind.LINES):
                return _of_lines(path.name, text)
        return _of_frame(path.name, sheet_of(path.name, content, kind).frame.lazy())
    except InvalidRows as error:
        raise InvalidDataSet(str(error)) from error
    except _UNREADABLE as error:
        raise InvalidDataSet(
            f"{path}: cannot be read ({first_line(error)}); check the path, or download it again"
        ) from error


def _of_parquet(path: Path) -> Table:
    schema = pq.read_schema(path)

    def read(columns: tuple[str, ...], limit: int | None) -> Iterator[pl.DataFrame]:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=list(columns)):
                yield plain(path.name, pl.DataFrame(pl.from_arrow(batch))).frame

    binary = [field.name for field in schema if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)]
    return Table(path.name, _own(name for name in schema.names if name not in binary), read)


def _of_lines(name: str, text: bytes) -> Table:
    names = dict.fromkeys(key for part in parts(name, text) for item in part.items for key in item)

    def read(columns: tuple[str, ...], limit: int | None) -> Iterator[pl.DataFrame]:
        for part in parts(name, text):
            frame = Columns(name)
            frame.add({key: [item.get(key) for item in part.items] for key in columns}, len(part.items))
            yield frame.sheet(part.lines).frame

    return Table(name, _own(names), read)
