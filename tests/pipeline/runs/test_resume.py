"""Killed in every stage, a run ends with the rows of an uninterrupted one: nothing lost, nothing double."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from pipeline import runs
from pipeline.config import Config, load_profile
from pipeline.runs import jobs
from pipeline.stages import STAGES
from tests.conftest import SMOKE_RUN, TINY_RUN, righttree, righttree_process
from tests.helpers.kills import killed
from warehouse import reads, store
from warehouse.schema import TABLES

# what a run says of itself depends on when and how often it was started
_ITS_OWN = {"run_id", "started_at", "finished_at", "wall_s", "timings", "code_version"}


def rows(data: Path, run_id: str, table: str) -> pl.DataFrame:
    with store.open_read_only(data) as connection:
        frame = connection.execute(f'SELECT * FROM "{table}" WHERE run_id = ?', [run_id]).pl()
    frame = frame.drop(_ITS_OWN & set(frame.columns) if table == "run" else "run_id")
    return frame.sort([key for key in TABLES[table].keys if key != "run_id"])


def resumed(data: Path, run_id: str) -> subprocess.Popen[bytes]:
    """A separate process that resumes the run."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "resume", run_id],
        env={**os.environ, "RIGHTTREE_HOME": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_run_killed_in_every_stage_ends_with_the_rows_of_an_uninterrupted_one(
    tiny_config: Config, tiny_home: Path, tmp_path: Path
) -> None:
    """In each it is killed while its second file, a part or the marker, is written but does not have its name yet."""
    run = runs.create(tmp_path, tiny_config, "killed")
    assert killed(tmp_path, "killed", [(stage, 2) for stage in STAGES]) == [-9] * len(STAGES)
    assert list(run.path.rglob(".partial-*")) != []
    assert jobs.status(tmp_path, "killed").state == "interrupted"

    done = righttree_process("resume", "killed", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert jobs.status(tmp_path, "killed").state == "finished"
    for table in TABLES:
        assert_frame_equal(rows(tmp_path, "killed", table), rows(tiny_home, TINY_RUN, table))
    assert list(run.path.rglob(".partial-*")) == []
    assert list(tmp_path.glob(".warehouse-*")) == []


def started(data: Path, profile: Path, *options: str) -> subprocess.Popen[bytes]:
    """`righttree run` in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "--profile", str(profile), *options],
        env={**os.environ, "RIGHTTREE_HOME": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_until(holds: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_run_resumes_a_stopped_run_with_the_same_settings_unless_new_is_given(
    tiny_profile: Path, tiny_config: Config, tiny_home: Path, tmp_path: Path
) -> None:
    runs.create(tmp_path, load_profile(str(tiny_profile), seed=5), "other-settings")
    runs.create(tmp_path, tiny_config, "stopped")
    assert jobs.stopped(tmp_path, tiny_config) == "stopped"

    process = started(tmp_path, tiny_profile)
    wait_until(lambda: jobs.status(tmp_path, "stopped").state == "running", 60)
    assert jobs.stopped(tmp_path, tiny_config) is None
    process.kill()
    process.wait()
    assert jobs.stopped(tmp_path, tiny_config) == "stopped"

    process = started(tmp_path, tiny_profile, "--new")
    wait_until(lambda: len(runs.run_ids(tmp_path)) == 3, 60)
    process.kill()
    process.wait()
    (new,) = set(runs.run_ids(tmp_path)) - {"other-settings", "stopped"}

    detached = righttree("run", "--profile", str(tiny_profile), "--detach", home=tmp_path)
    assert detached.stdout == f"{new}\n"
    assert f"resuming {new}" in detached.stderr
    wait_until(lambda: jobs.status(tmp_path, new).state == "finished", 300)
    for table in TABLES:
        assert_frame_equal(rows(tmp_path, new, table), rows(tiny_home, TINY_RUN, table))


def test_resuming_a_finished_run_does_nothing(smoke_home: Path) -> None:
    build = store.build_id(smoke_home)
    jobs_before = jobs.status(smoke_home, SMOKE_RUN)
    done = righttree("resume", SMOKE_RUN, home=smoke_home)
    assert done.returncode == 0, done.stderr
    assert store.build_id(smoke_home) == build
    assert jobs.status(smoke_home, SMOKE_RUN) == jobs_before


def test_the_newest_run_is_the_one_that_was_published(smoke_home: Path) -> None:
    with store.open_read_only(smoke_home) as connection:
        assert reads.runs.default_run(connection) == SMOKE_RUN
