"""Files with rows: Parquet, JSONL, JSON or CSV, the last three also gzipped, from a file, a folder or an `hf://` path.

Parquet and `hf://` are scanned by Polars, which reads only the columns that are asked for. The others are read whole,
by readers that name the line of an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from pipeline.data_sets.pairs import Row
from pipeline.errors import InvalidDataSet
from warehouse.errors import InvalidRows, first_line
from warehouse.exchange.reading import EXTENSIONS, read_sheet
from warehouse.exchange.reading.content import extension, is_readable
from warehouse.exchange.sheet import CUT

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


@dataclass(frozen=True)
class Table:
    """A file's rows; read only when asked for, if it can be scanned."""

    name: str
    frame: pl.LazyFrame
    columns: tuple[str, ...]

    @classmethod
    def of(cls, name: str, frame: pl.LazyFrame) -> Self:
        return cls(name, frame, tuple(frame.collect_schema().names()))

    def rows(self, columns: tuple[str, ...], limit: int | None = None) -> Iterator[Row]:
        """The columns of all rows, or of the first `limit`. Raises InvalidDataSet if they cannot be read."""
        try:
            frame = self.frame.select(columns).slice(0, limit).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InvalidDataSet(f"{self.name}: cannot be read ({first_line(error)}); {CUT}") from error
        for batch in frame.iter_slices(_BATCH_ROWS):
            yield from batch.iter_rows(named=True)


def tables(place: str) -> Iterator[Table]:
    """The files at a place, one after the other; a folder's files, also in its subfolders, sorted by path.

    Raises InvalidDataSet for a place that does not exist, has no file of a known kind, or one that cannot be read.
    """
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


def _of_hub(place: str) -> Table:
    extension = Path(place).suffix.lower()
    if extension not in _SCANNERS:
        raise InvalidDataSet(
            f"{place}: files that end with {extension!r} cannot be read from the hub, only {', '.join(_SCANNERS)}; "
            f"{_HUB_ADVICE}"
        )
    try:
        return Table.of(place, _SCANNERS[extension](place))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidDataSet(
            f"{place}: cannot be read ({first_line(error)}); check network and path, or download it: {_HUB_ADVICE}"
        ) from error


def _of_file(path: Path) -> Table:
    try:
        if extension(path.name) == path.suffix.lower() == ".parquet":
            return Table.of(path.name, pl.scan_parquet(path, glob=False))
        return Table.of(path.name, read_sheet(path).frame.lazy())
    except InvalidRows as error:
        raise InvalidDataSet(str(error)) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidDataSet(
            f"{path}: cannot be read ({first_line(error)}); check the path, or download it again"
        ) from error
