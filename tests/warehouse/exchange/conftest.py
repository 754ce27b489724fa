"""A data folder to import into, and what is in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from pipeline.runs.exchange import import_files
from warehouse import exchange, store
from warehouse.schema import TABLES

Import = Callable[..., str]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def imported(data: Path) -> Import:
    """Import files as run `theirs`."""

    def do(*files: Path, layout: str = "auto") -> str:
        return import_files(data, files, "theirs", layout).line

    return do


def rows_of(files: Sequence[Path], layout: str = "auto", incomplete: str = "drop-response") -> dict[str, pl.DataFrame]:
    """Rows of the run that these files make."""
    sheets, pieces = exchange.read_files(files, layout)
    facts = exchange.Facts("theirs", layout, "", "", 0.0, "", {}, {})
    return exchange.build(sheets, exchange.study_of(sheets, pieces, exchange.Choices(incomplete)), facts)


def tables(data: Path) -> dict[str, pl.DataFrame]:
    """All tables of the data folder, sorted by key."""
    with store.open_read_only(data) as connection:
        return {
            name: connection.execute(f'SELECT * FROM "{name}"').pl().sort(table.keys) for name, table in TABLES.items()
        }
