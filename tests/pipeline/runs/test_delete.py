"""Deleting runs: removed from the folder and the warehouse, all others unchanged; refused while the run is running."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline import runs
from pipeline.config import load_profile
from pipeline.errors import ReadOnly, RunBusy, UnknownRun
from pipeline.runs import jobs, workers
from tests.conftest import righttree
from tests.helpers import simulated
from warehouse import ingest, reads, store
from warehouse.errors import WarehouseError
from warehouse.schema import TABLES

SMOKE = load_profile("smoke")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder with two published runs, `one` and `two`, of which `one` has a directory, and a stopped `three`."""
    for number, run_id in enumerate(("one", "two")):
        simulated.publish(tmp_path, run_id=run_id, P=8, Q=8, M=3, seed=number)
    for run_id in ("one", "three"):
        runs.create(tmp_path, SMOKE, run_id)
    return tmp_path


def counts(home: Path) -> dict[tuple[str, str], int]:
    """Rows in the warehouse by table and run."""
    with store.open_read_only(home) as connection:
        found = {
            name: connection.execute(f'SELECT run_id, count(*) FROM "{name}" GROUP BY run_id').fetchall()
            for name in TABLES
        }
    return {(name, run_id): count for name, rows in found.items() for run_id, count in rows}


def test_a_deleted_run_is_gone_and_the_others_are_unchanged(home: Path) -> None:
    before, build = counts(home), store.build_id(home)
    reader = store.open_read_only(home)
    jobs.delete(home, "one")
    assert runs.run_ids(home) == ["three"]
    assert counts(home) == {key: count for key, count in before.items() if key[1] != "one"}
    assert store.build_id(home) != build
    assert set(reads.runs.all_runs(reader)["run_id"]) == {
        "one",
        "two",
    }  # a reader keeps the build that it opened
    assert [path.name for path in (home / "runs").iterdir() if path.is_dir()] == ["three"]


def test_a_run_that_is_only_in_the_folder_or_only_in_the_warehouse_is_deleted(home: Path) -> None:
    build = store.build_id(home)
    jobs.delete(home, "three")
    assert store.build_id(home) == build
    assert runs.run_ids(home) == ["one"]
    jobs.delete(home, "two")
    assert {run_id for _, run_id in counts(home)} == {"one"}
    jobs.delete(home, "one")
    assert counts(home) == {}
    with pytest.raises(UnknownRun, match="no run 'one'"):
        jobs.delete(home, "one")


def test_a_running_run_and_a_read_only_folder_are_not_changed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, build = sorted(home.rglob("*")), store.build_id(home)
    with runs.open_run(home, "one").working(), pytest.raises(RunBusy, match="righttree cancel one"):
        jobs.delete(home, "one")
    monkeypatch.setenv(jobs.READ_ONLY, "1")
    with pytest.raises(ReadOnly, match="cannot be deleted"):
        jobs.delete(home, "one")
    assert store.build_id(home) == build
    assert {path for path in home.rglob("*") if path.name not in (".lock", ".turn")} == {
        path for path in before if path.name not in (".lock", ".turn")
    }


def test_nobody_can_start_a_run_while_it_is_being_deleted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would be published again, or continue in a folder that is gone."""
    code = (
        "from pathlib import Path; from pipeline import runs\n"
        f"with runs.open_run(Path({str(home)!r}), 'one').held(): pass"
    )
    tries: list[str] = []

    def try_to_begin() -> None:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        tries.append(done.stderr)

    published, removed = store.open_read_only, ingest.remove

    def look(*arguments: object, **options: object) -> object:
        try_to_begin()
        return published(*arguments, **options)  # type: ignore[arg-type]

    def unpublish(data: Path, run_id: str) -> None:
        try_to_begin()
        removed(data, run_id)

    monkeypatch.setattr(store, "open_read_only", look)
    monkeypatch.setattr(ingest, "remove", unpublish)
    jobs.delete(home, "one")
    monkeypatch.undo()
    assert len(tries) >= 2
    assert all(RunBusy.__name__ in stderr for stderr in tries)
    assert "one" not in runs.run_ids(home)
    assert {run_id for _, run_id in counts(home)} == {"two"}


def test_nobody_works_on_a_run_that_was_deleted_while_they_waited_for_its_lock(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.open_run(home, "three")
    holder = ExitStack()
    holder.enter_context(run.held())

    def delete(_: float) -> None:
        runs.remove(run.path)
        holder.close()

    monkeypatch.setattr(time, "sleep", delete)
    with pytest.raises(UnknownRun, match="three has been deleted"), run.held():
        run.write_json(run.path / "retry.json", [])
    assert not run.path.exists()
    with pytest.raises(UnknownRun, match="three has been deleted"), run.working():
        pass
    assert not run.path.exists()


def test_a_run_that_is_deleted_while_it_starts_is_gone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = subprocess.Popen

    def delete_first(*arguments: Any, **options: Any) -> Any:
        jobs.delete(home, "three")
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", delete_first)
    workers.start(home, runs.open_run(home, "three"))
    assert runs.run_ids(home) == ["one"]
    assert not (runs.runs_folder(home) / "three").exists()


def test_a_run_that_is_executing_stays_published(home: Path) -> None:
    """Held by somebody else, it is refused before anything is unpublished."""
    build = store.build_id(home)
    with runs.open_run(home, "one").held(), pytest.raises(RunBusy):
        jobs.delete(home, "one")
    assert store.build_id(home) == build


def test_with_a_warehouse_that_cannot_be_read_nothing_is_deleted(home: Path) -> None:
    (home / str(store.build_id(home))).write_bytes(b"no database")
    with pytest.raises(WarehouseError, match="cannot be opened"):
        jobs.delete(home, "one")
    assert "one" in runs.run_ids(home)


@pytest.mark.parametrize("run_id", ["../one", "", ".", "one/..", "gone"])
def test_delete_accepts_only_names_of_runs(home: Path, run_id: str) -> None:
    before = counts(home)
    with pytest.raises(UnknownRun):
        jobs.delete(home, run_id)
    assert counts(home) == before
    assert set(runs.run_ids(home)) == {"one", "three"}


def test_the_next_deletion_removes_what_an_interrupted_one_left(home: Path) -> None:
    (home / "runs" / ".partial-removed-old-1234" / "score").mkdir(parents=True)
    jobs.delete(home, "three")
    assert [path.name for path in (home / "runs").iterdir() if path.is_dir()] == ["one"]


def test_the_command_line_asks_first(home: Path) -> None:
    refused = righttree("delete", "one", home=home)
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)
    assert "add --yes" in refused.stderr
    assert _answered(home, "no").endswith("one is not deleted")
    assert "one" in runs.run_ids(home)
    assert _answered(home, "y").endswith("one is deleted")
    assert "one" not in runs.run_ids(home)
    assert righttree("delete", "two", "--yes", home=home).stdout == "two is deleted\n"
    gone = righttree("delete", "two", "--yes", home=home)
    assert (gone.returncode, len(gone.stderr.splitlines())) == (2, 1)


def _answered(home: Path, answer: str) -> str:
    """What `righttree delete one` says in a terminal where this is typed."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "delete", "one"],
        env={**os.environ, "RIGHTTREE_HOME": str(home)},
        stdin=theirs,
        capture_output=True,
        text=True,
        check=True,
    )
    os.close(ours)
    os.close(theirs)
    return done.stdout.strip()
