"""A finished run of the tiny model with one stage not done: what a test needs to do a real stage in seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

from polars.testing import assert_frame_equal

from pipeline import runs
from pipeline.runs import RunDirectory
from tests.conftest import TINY_RUN
from tests.pipeline.runs.test_resume import rows
from warehouse.schema import TABLES

_PAGE = 4096


def copied(tiny_home: Path, home: Path) -> RunDirectory:
    """The run's directory in another data folder, whose warehouse does not know it."""
    shutil.copytree(tiny_home / "runs" / TINY_RUN, home / "runs" / TINY_RUN)
    return runs.open_run(home, TINY_RUN)


def undo(run: RunDirectory, stage: str) -> int:
    """Take back a stage, and that the run was published; returns the bytes on the disk that the stage had written."""
    written = [*stage_parts(run, stage), *run.work_path(stage).rglob("*")]
    for marker in (run.path / "manifest.json", *(run.path / "stages" / f"{name}.json" for name in (stage, "publish"))):
        marker.unlink(missing_ok=True)
    files = [path for path in written if path.is_file()]
    size = sum(-(-path.stat().st_size // _PAGE) * _PAGE for path in files)
    for path in files:
        path.unlink()
    return size


def stage_parts(run: RunDirectory, stage: str) -> list[Path]:
    return sorted(run.path.glob(f"*/{stage}-*.parquet"))


def assert_like_the_uninterrupted(home: Path, tiny_home: Path) -> None:
    """All rows of the run, and nothing half-written beside them."""
    for table in TABLES:
        assert_frame_equal(rows(home, TINY_RUN, table), rows(tiny_home, TINY_RUN, table))
    assert half_written(home) == []


def half_written(home: Path) -> list[Path]:
    """Temporary files of runs and of the warehouse."""
    return [*home.rglob(".partial-*"), *home.glob(".warehouse-*"), *home.glob(".warehouse.duckdb.*")]
