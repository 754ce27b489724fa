"""What comes after the single file, at a size of seconds: the reads give the same arrays, two writers lose nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import lake
from tests.benchmarks.apart import apart
from tests.benchmarks.postgres import server
from tests.benchmarks.scale import FURTHER, publish
from tests.benchmarks.scale_study import Scale, write
from warehouse import reads

TINY = Scale(reward_models=5, prompts=24, responses=4, samples=8, pairs=0, validation_pairs=0, words=6)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("lake-home")
    write(data, TINY)
    publish(data, TINY.run_id)
    return data


@pytest.fixture(scope="module")
def catalogue() -> Iterator[str]:
    try:
        for name in lake.EXTENSIONS:
            lake.extension(name)
        with server() as started:
            yield started
    except SystemExit as missing:
        pytest.skip(str(missing))


def test_partitioned_parquet_reads_as_the_file_does(home: Path, tmp_path: Path) -> None:
    hive = tmp_path / "hive"
    lake.partition(home, hive)
    folders = {path.parent.name for path in (hive / "score").rglob("*.parquet")}
    assert folders == {f"reward_model_id={name}" for name in TINY.names}
    write(home, FURTHER)
    lake.further(home, hive)
    with lake.file(home) as one, lake.parquet(hive) as many:
        expected, found = (reads.initial_scores(connection, TINY.run_id, "rl_test") for connection in (one, many))
        np.testing.assert_array_equal(found[0], expected[0])
        assert [list(axis) for axis in found[1:3]] == [list(axis) for axis in expected[1:3]]
        beside = reads.initial_scores(many, FURTHER.run_id, "rl_test")[0]
        assert beside.shape == (FURTHER.reward_models, FURTHER.prompts, FURTHER.samples)


def test_two_processes_write_into_the_lake_at_once_and_a_reader_sees_whole_parts(
    home: Path, catalogue: str, tmp_path: Path
) -> None:
    data = tmp_path / "lake"
    data.mkdir()
    apart(lake.create, catalogue, data)
    parts = lake.without_rm_test(home / "runs" / TINY.run_id, tmp_path / "parts")
    written, (counts, broken) = lake.two_writers(catalogue, data, parts, TINY.prompts * TINY.samples)
    assert [(refused, done > TINY.reward_models) for done, refused, _ in written] == [(0, True)] * 2
    assert counts > 0
    assert broken == 0
    with lake.file(home) as connection:
        expected = reads.initial_scores(connection, TINY.run_id, "rl_test")[0]
    with lake.lake(catalogue, data) as connection:
        for run_id in ("first", "second"):
            np.testing.assert_array_equal(reads.initial_scores(connection, run_id, "rl_test")[0], expected)
