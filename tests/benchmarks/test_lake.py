"""What comes after the single file, at a size of seconds: the reads give the same, two writers lose nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from tests.benchmarks import lake, postgres
from tests.benchmarks.scale import FURTHER, publish
from tests.benchmarks.scale_study import Scale, write
from warehouse import reads, reads_policies, reads_responses
from warehouse.schema import TABLES

TINY = Scale(reward_models=5, prompts=24, responses=4, samples=8, pairs=30, validation_pairs=6, words=6)

READS: tuple[Callable[[duckdb.DuckDBPyConnection], Any], ...] = (
    lambda connection: reads.runs(connection).filter(run_id=TINY.run_id),
    lambda connection: reads.reward_models(connection, TINY.run_id),
    lambda connection: reads.sources(connection, TINY.run_id),
    lambda connection: reads.score_cube(connection, TINY.run_id),
    lambda connection: reads.initial_scores(connection, TINY.run_id, "rl_test"),
    lambda connection: reads.policy_values(connection, TINY.run_id, "bon", 4),
    lambda connection: reads_policies.value_curves(connection, TINY.run_id, "bon").values[-1],
    lambda connection: reads.picks(connection, TINY.run_id, *TINY.names[:2], 8, limit=1000),
    lambda connection: reads_responses.found_prompts(connection, TINY.run_id, "rl_test", text="e"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("lake-home")
    write(data, TINY)
    publish(data, TINY.run_id)
    return data


@pytest.fixture(scope="module")
def hive(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hive")
    lake.partition(home, folder, TINY.run_id)
    return folder


def test_reads_of_partitioned_parquet_are_those_of_the_file(home: Path, hive: Path) -> None:
    with lake.file(home) as one, lake.parquet(hive) as many:
        for read in READS:
            np.testing.assert_equal(_plain(read(many)), _plain(read(one)))


def test_a_run_appears_beside_others_when_its_folder_gets_its_name(home: Path, hive: Path) -> None:
    def runs() -> list[str]:
        with lake.parquet(hive) as connection:
            return sorted(reads.runs(connection)["run_id"])

    write(home, FURTHER)
    publish(home, FURTHER.run_id)
    before = {path: path.stat().st_mtime_ns for path in hive.rglob("*.parquet")}
    shutil.copytree(hive / f"run_id={TINY.run_id}", hive / ".unfinished.draft")
    assert runs() == [TINY.run_id]
    shutil.rmtree(hive / ".unfinished.draft")
    lake.partition(home, hive, FURTHER.run_id)
    assert runs() == [FURTHER.run_id, TINY.run_id]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    with lake.parquet(hive) as connection:
        beside = reads.initial_scores(connection, FURTHER.run_id, "rl_test")[0]
    assert beside.shape == (FURTHER.reward_models, FURTHER.prompts, FURTHER.samples)
    shutil.rmtree(hive / f"run_id={FURTHER.run_id}")


def test_two_processes_write_into_the_lake_at_once_and_every_figure_comes_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _there()
    monkeypatch.setattr(lake, "_ROUNDS", 1)
    text = lake.section(tmp_path, TINY)
    assert text.count("\n| one DuckDB file |") == text.count("\n| partitioned Parquet |") == 3
    assert text.count("\n| DuckLake, PostgreSQL as catalogue |") == 3
    parts = TINY.reward_models + len(TABLES) - 1  # of scores a part each, of every other table one
    assert text.count(f"{parts} parts committed, 0 refused") == 2
    assert "saw no part that was not whole" in text
    assert " counted the scores 0 times" not in text


def test_reads_of_the_lake_are_those_of_the_file(home: Path, hive: Path, tmp_path: Path) -> None:
    _there()
    with postgres.server() as catalogue:
        lake.create(catalogue, tmp_path)
        lake.write_run(catalogue, tmp_path, hive / f"run_id={TINY.run_id}", TINY.run_id)
        with lake.file(home) as one, lake.lake(catalogue, tmp_path) as many:
            for read in READS:
                np.testing.assert_equal(_plain(read(many)), _plain(read(one)))


def _there() -> None:
    """Skips where DuckDB's extensions or PostgreSQL are not there, saying which."""
    try:
        for name in lake.EXTENSIONS:
            lake.extension(name)
    except SystemExit as missing:
        pytest.skip(str(missing))
    if postgres.binaries() is None:
        pytest.skip(postgres.MISSING)


def _plain(found: Any) -> Any:
    """Arrays and lists of what a read gave, names in order."""
    if hasattr(found, "to_dicts"):
        return found.select(sorted(found.columns)).to_dict(as_series=False)
    return list(found) if isinstance(found, tuple) else vars(found)
