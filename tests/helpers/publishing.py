"""Data folders for tests of the dashboard: copies of a real run's, with more runs published into them."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from warehouse import ingest, reads, store
from warehouse.schema import TABLES


def copy_of(home: Path, target: Path) -> Path:
    """A data folder of one's own with the same builds and runs."""
    return Path(shutil.copytree(home, target, symlinks=True, dirs_exist_ok=True))


def publish_again(home: Path, run_id: str, finished_at: str = "2099-01-01T00:00:00+00:00") -> None:
    """Publish the newest run's rows once more, as another run that finished at the given time."""
    with store.open_read_only(home) as connection:
        original = reads.runs.default_run(connection)
        rows = {
            name: connection.execute(f'SELECT * FROM "{name}" WHERE run_id = ?', [original]).pl() for name in TABLES
        }
    rows = {name: frame.with_columns(run_id=pl.lit(run_id)) for name, frame in rows.items()}
    rows["run"] = rows["run"].with_columns(finished_at=pl.lit(finished_at))
    ingest.publish(home, rows, f"test {run_id}")
