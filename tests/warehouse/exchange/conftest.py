"""A data folder to import into, and what is in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipeline.runs.exchange import import_files
from warehouse import store
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


def tables(data: Path) -> dict[str, pl.DataFrame]:
    """All tables of the data folder, sorted by key."""
    with store.open_read_only(data) as connection:
        return {
            name: connection.execute(f'SELECT * FROM "{name}"').pl().sort(table.keys) for name, table in TABLES.items()
        }
