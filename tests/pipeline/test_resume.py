"""Killed in every stage, a run ends with the rows of an uninterrupted one: nothing lost, nothing double."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from pipeline import jobs, runs
from pipeline.config import load_profile
from pipeline.stages import STAGES
from tests.conftest import SMOKE_RUN, righttree
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
    """A process of its own that goes on with the run."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "resume", run_id],
        env={**os.environ, "RIGHTTREE_HOME": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_in(data: Path, run_id: str, stage: str) -> None:
    """Work on the run until this stage is under way, then kill -9; a very short stage may be over by then."""
    process = resumed(data, run_id)
    run = runs.open_run(data, run_id)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        states = {state["name"]: state["state"] for state in run.progress().get("stages", [])}
        if states.get(stage, "pending") != "pending" and run.is_running:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_run_killed_in_every_stage_ends_with_the_rows_of_an_uninterrupted_one(
    smoke_home: Path, tmp_path: Path
) -> None:
    run = runs.create(tmp_path, load_profile("smoke"), "killed")
    kills = 0
    for stage in STAGES:
        if jobs.status(tmp_path, "killed").state == "finished":
            break
        kill_in(tmp_path, "killed", stage)
        kills += jobs.status(tmp_path, "killed").state == "interrupted"
    assert kills >= len(STAGES) - 2  # the very short stages may be over before the signal arrives

    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "resume", "killed"],
        env={**os.environ, "RIGHTTREE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert jobs.status(tmp_path, "killed").state == "finished"
    for table in TABLES:
        assert_frame_equal(rows(tmp_path, "killed", table), rows(smoke_home, SMOKE_RUN, table))
    assert list(run.path.rglob(".partial-*")) == []
    assert list(tmp_path.glob(".warehouse-*")) == []


def started(data: Path, *options: str) -> subprocess.Popen[bytes]:
    """`righttree run --profile smoke` in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "--profile", "smoke", *options],
        env={**os.environ, "RIGHTTREE_HOME": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_until(holds: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_run_takes_up_a_stopped_run_of_the_same_settings_unless_told_otherwise(
    smoke_home: Path, tmp_path: Path
) -> None:
    smoke = load_profile("smoke")
    runs.create(tmp_path, load_profile("smoke", seed=5), "other-settings")
    runs.create(tmp_path, smoke, "stopped")
    assert jobs.stopped(tmp_path, smoke) == "stopped"

    process = started(tmp_path)
    wait_until(lambda: jobs.status(tmp_path, "stopped").state == "running", 60)
    assert jobs.stopped(tmp_path, smoke) is None
    process.kill()
    process.wait()
    assert jobs.stopped(tmp_path, smoke) == "stopped"

    process = started(tmp_path, "--new")
    wait_until(lambda: len(runs.run_ids(tmp_path)) == 3, 60)
    process.kill()
    process.wait()
    (new,) = set(runs.run_ids(tmp_path)) - {"other-settings", "stopped"}

    detached = righttree("run", "--profile", "smoke", "--detach", home=tmp_path)
    assert detached.stdout == f"{new}\n"
    assert f"going on with {new}" in detached.stderr
    wait_until(lambda: jobs.status(tmp_path, new).state == "finished", 900)
    for table in TABLES:
        assert_frame_equal(rows(tmp_path, new, table), rows(smoke_home, SMOKE_RUN, table))


def test_resuming_a_finished_run_does_nothing(smoke_home: Path) -> None:
    build = store.build_id(smoke_home)
    jobs_before = jobs.status(smoke_home, SMOKE_RUN)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "resume", SMOKE_RUN],
        env={**os.environ, "RIGHTTREE_HOME": str(smoke_home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert store.build_id(smoke_home) == build
    assert jobs.status(smoke_home, SMOKE_RUN) == jobs_before


def test_the_newest_run_is_the_one_that_was_published(smoke_home: Path) -> None:
    with store.open_read_only(smoke_home) as connection:
        assert reads.newest_run(connection) == SMOKE_RUN
