"""A full disk, one that may not be written, a file that may not grow: one clear line, and what was there stays.

Last, a disk that fills up while a run works: the run goes on once there is room.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from pipeline import runs
from pipeline.config import load_profile
from pipeline.errors import NotWritten
from pipeline.runs import jobs, results
from pipeline.runs.exchange import import_files, left_out_file
from pipeline.runs.records import RunProgress
from pipeline.uploads.upload import UPLOAD
from tests.app.conftest import OpenPage
from tests.conftest import TINY_RUN
from tests.reliability.conftest import Resume
from tests.reliability.disks import Disk
from tests.reliability.hostile.cases import refused
from tests.reliability.undone import assert_like_the_uninterrupted, copied, half_written, stage_parts, undo
from tests.warehouse.exchange import files
from tests.warehouse.rows import tiny_run
from warehouse import ingest, reads, store
from warehouse.exchange import Choices

pytestmark = pytest.mark.reliability

KIB = 1024
SMOKE = load_profile("smoke")
LABELS = pl.DataFrame({"reward_model_id": ["a"], "preference_id": ["p"], "flipped": [True]})


def is_refused(attempt: Callable[[], object], words: str) -> None:
    """Assert that it is refused in one line that says why."""
    message = refused(attempt)
    assert message is not None
    assert re.search(words, message), message


def published(home: Path) -> dict[str, int]:
    """Runs of the warehouse with their number of scores, all of which are read."""
    with store.open_read_only(home) as connection:
        rows = connection.execute("SELECT run_id, count(*) FROM score GROUP BY run_id").fetchall()
        assert set(dict(rows)) == set(reads.runs.all_runs(connection)["run_id"])
    return dict(rows)


def not_locks(home: Path) -> set[Path]:
    """All files and folders but those that lock something."""
    return {path for path in home.rglob("*") if path.name not in {".lock", ".turn"}}


def scores(tmp_path: Path) -> list[tuple[str, bytes]]:
    return [("a.csv", files.write(files.long_frame(prompts=12), tmp_path / "a.csv").read_bytes())]


@pytest.mark.parametrize("room", [0, 4 * KIB, 64 * KIB, 512 * KIB, 1024 * KIB, 1400 * KIB, 1800 * KIB, 2600 * KIB])
def test_a_disk_that_fills_up_while_publishing_leaves_the_last_build_or_a_whole_new_one(disk: Disk, room: int) -> None:
    ingest.publish(disk.home, tiny_run("first"), "test")
    before = {path.name: path.read_bytes() for path in disk.home.iterdir()}
    disk.fill(leave_bytes=room)
    message = refused(lambda: ingest.publish(disk.home, tiny_run("second", samples=2000), "test"))
    if message is not None:
        assert "No space left on device" in message
        assert published(disk.home) == {"first": 12}
        assert {path.name: path.read_bytes() for path in disk.home.iterdir()} == before
        disk.make_room()
        ingest.publish(disk.home, tiny_run("second", samples=2000), "test")
    assert published(disk.home) == {"first": 12, "second": 8000}


@pytest.mark.parametrize("room", [1400 * KIB, 2000 * KIB, 2600 * KIB, 2900 * KIB, 3200 * KIB, 4500 * KIB])
def test_a_disk_that_fills_up_during_an_import_leaves_a_run_that_is_stored_and_published_or_neither(
    disk: Disk, tmp_path: Path, room: int
) -> None:
    ingest.publish(disk.home, tiny_run("first"), "test")
    path = files.write(files.long_frame(prompts=2000), tmp_path / "a.csv")
    disk.fill(leave_bytes=room)
    message = refused(lambda: import_files(disk.home, [path], "theirs", "auto"))
    if message is not None:
        assert "No space left on device" in message
        assert set(published(disk.home)) == {"first"}
        assert results.run_ids(disk.home) == []
        assert list(disk.home.rglob(".partial-*")) == []
        disk.make_room()
        import_files(disk.home, [path], "theirs", "auto")
    assert set(published(disk.home)) == {"first", "theirs"}
    assert results.run_ids(disk.home) == ["theirs"]


def test_on_a_full_disk_nothing_is_imported_started_or_resumed_and_all_is_shown(disk: Disk, tmp_path: Path) -> None:
    ingest.publish(disk.home, tiny_run("first"), "test")
    runs.create(disk.home, SMOKE, "stopped")
    disk.fill()
    before = not_locks(disk.home)
    is_refused(lambda: jobs.import_uploads(disk.home, scores(tmp_path)), "No space left on device")
    is_refused(lambda: jobs.start(disk.home, SMOKE), "No space left on device")
    with pytest.raises(NotWritten, match="No space left"), runs.open_run(disk.home, "stopped").working():
        pass
    assert not_locks(disk.home) == before
    assert published(disk.home) == {"first": 12}
    assert jobs.status(disk.home, "stopped").state == "interrupted"


def previous_build(home: Path) -> Path:
    (build,) = (path for path in home.glob("warehouse-*.duckdb") if path.name != store.build_id(home))
    return build


def test_a_run_is_deleted_from_a_full_disk_where_the_previous_build_takes_the_room(disk: Disk) -> None:
    ingest.publish(disk.home, tiny_run("first"), "test")
    ingest.publish(disk.home, tiny_run("second", samples=2000), "test")
    previous = previous_build(disk.home)
    ingest.publish(disk.home, tiny_run("third"), "test")
    assert not previous.exists()
    previous = previous_build(disk.home)
    build = disk.home / (store.build_id(disk.home) or "")
    with duckdb.connect(str(previous), read_only=True):  # as a server that has shown it
        disk.fill(leave_bytes=build.stat().st_size - 64 * KIB)
        jobs.delete(disk.home, "third")
    assert published(disk.home) == {"first": 12, "second": 8000}
    disk.make_room()
    jobs.delete(disk.home, "second")
    assert previous_build(disk.home).exists()


def test_on_a_full_disk_the_previous_build_stays_where_the_published_one_is_damaged(disk: Disk) -> None:
    ingest.publish(disk.home, tiny_run("first"), "test")
    ingest.publish(disk.home, tiny_run("second", samples=2000), "test")
    build = disk.home / (store.build_id(disk.home) or "")
    with build.open("r+b") as file:
        file.seek(build.stat().st_size // 2)
        file.write(bytes(200_000))
    previous = previous_build(disk.home)
    disk.fill()
    is_refused(lambda: jobs.delete(disk.home, "second"), "No space left on device")
    assert previous.exists()


def clicked(page: AppTest, key: str) -> AppTest:
    page = page.button(key=key).click().run()
    assert not page.exception
    return page


def test_what_the_page_publishes_on_a_full_disk_is_refused_in_a_line_and_done_once_there_is_room(
    disk: Disk, tmp_path: Path, open_view: OpenPage
) -> None:
    ingest.publish(disk.home, tiny_run("first"), "test")
    import_files(disk.home, [files.write(files.long_frame(), tmp_path / "b.csv")], "second", "auto")
    before = published(disk.home)
    previous_build(disk.home).unlink()
    disk.fill(leave_bytes=300 * KIB)
    page = open_view("runs", disk.home)
    page.session_state["import"] = True
    page = page.run()
    page.file_uploader[0].upload(*scores(tmp_path)[0], "text/csv")
    page = page.run()
    for key in ("import.go", "delete-second"):
        page = clicked(page, key)
        assert "No space left on device" in page.warning[0].value
        assert published(disk.home) == before
        assert results.run_ids(disk.home) == ["second"]
        assert half_written(disk.home) == []
        assert list(disk.home.glob(f"{UPLOAD}*")) == []

    disk.make_room()
    page = clicked(page, "import.go")
    assert not page.warning
    assert len(published(disk.home)) == 3
    page = clicked(page, "delete-second")
    assert not page.warning
    assert set(published(disk.home)) == {"first", *results.run_ids(disk.home)}


def test_a_run_is_imported_though_the_list_of_what_it_left_out_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.write(
        files.long_frame().with_row_index().filter(pl.col("index") > 0).drop("index"), tmp_path / "a.csv"
    )
    listed = left_out_file(tmp_path / "home", "theirs")
    listed.mkdir(parents=True)  # no file can be there
    imported = import_files(tmp_path / "home", [path], "theirs", "auto", Choices("drop-response"))
    assert any(
        re.search("left out: .*; not listed in a file: .*theirs-left-out.csv cannot be", n) for n in imported.notes
    )
    assert set(published(tmp_path / "home")) == {"theirs"}
    assert list(tmp_path.rglob(".partial-*")) == []


def test_a_part_that_does_not_fit_is_not_there_and_is_written_once_there_is_room(disk: Disk) -> None:
    run = runs.create(disk.home, SMOKE, "one")
    run.write_part("label", "reward_models", "a", LABELS)
    disk.fill()
    is_refused(lambda: run.write_part("label", "reward_models", "b", LABELS), "No space left.*righttree resume one")
    is_refused(lambda: run.mark_done("reward_models", {}), "No space left")
    run.write_progress(RunProgress())  # lost, and no reason to stop
    run.write_error("the disk is full")
    status = jobs.status(disk.home, "one")
    assert status.state == "failed"
    assert status.error
    assert "The run stopped because the disk is full" in status.error
    assert not run.has_part("label", "reward_models", "b")
    assert list(run.path.rglob(".partial-*")) == []
    assert not run.is_done("reward_models")
    assert run.read("label").equals(LABELS)
    disk.make_room()
    run.write_part("label", "reward_models", "b", LABELS.with_columns(preference_id=pl.lit("q")))
    assert run.read("label")["preference_id"].to_list() == ["p", "q"]


def test_a_read_only_disk_is_named_and_can_be_read(disk: Disk, tmp_path: Path) -> None:
    ingest.publish(disk.home, tiny_run("first"), "test")
    run = runs.create(disk.home, SMOKE, "stopped")
    disk.remount("ro")
    for attempt in (
        lambda: ingest.publish(disk.home, tiny_run("second"), "test"),
        lambda: jobs.import_uploads(disk.home, scores(tmp_path)),
        lambda: jobs.start(disk.home, SMOKE),
        lambda: jobs.resume(disk.home, "stopped"),
        lambda: run.write_part("label", "reward_models", "a", LABELS),
    ):
        is_refused(attempt, "Read-only file system")
    assert published(disk.home) == {"first": 12}
    assert [found.run_id for found in jobs.list_runs(disk.home)] == ["stopped"]
    assert jobs.log_tail(disk.home, "stopped") == ""


def limited(*arguments: str, home: Path, kib: int) -> subprocess.CompletedProcess[str]:
    """The command line in a process whose files may not grow beyond so many KiB."""
    return subprocess.run(
        ["sh", "-c", f'ulimit -f {2 * kib}; exec "$@"', "sh", sys.executable, "-m", "pipeline", *arguments],
        env={**os.environ, "RIGHTTREE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_size_limit_is_reported_in_one_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ingest.publish(home, tiny_run("first"), "test")
    path = files.write(files.long_frame(prompts=12), tmp_path / "a.csv")
    done = limited("import", str(path), home=home, kib=500)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "File too large" in line
    assert published(home) == {"first": 12}
    assert list(home.glob(".warehouse-*")) == []


@pytest.mark.parametrize("disk", ["512m"], indirect=True)
@pytest.mark.parametrize(
    "stage",
    [
        *(pytest.param(stage, marks=pytest.mark.nightly) for stage in ("reward_models", "test_responses")),
        "ppo",
        "publish",
    ],
)
def test_a_run_whose_disk_fills_up_in_a_stage_says_so_and_completes_once_there_is_space(
    disk: Disk,
    tiny_home: Path,
    stage: str,
    resume: Resume,
    capsys: pytest.CaptureFixture[str],
    open_view: OpenPage,
) -> None:
    ingest.publish(disk.home, tiny_run("first"), "test")
    run = copied(tiny_home, disk.home)
    parts = len(stage_parts(run, stage))
    writes = undo(run, stage)
    if stage == "publish":
        writes = (tiny_home / str(store.build_id(tiny_home))).stat().st_size
    disk.fill(leave_bytes=writes // 2)

    assert resume(disk.home) == 2
    *_, line = (said := capsys.readouterr().err).splitlines()
    assert "Traceback" not in said
    assert re.fullmatch(r"righttree: [^:]* cannot be written \(.*No space left on device.*\).* make room.*", line)
    status = jobs.status(disk.home, TINY_RUN)
    assert (status.state, status.error) == ("failed", line.removeprefix("righttree: "))
    page = open_view("runs", disk.home)
    assert not page.exception
    assert any("No space left on device" in error.value for error in page.error)
    assert not run.is_done(stage)
    assert (parts == 0) == (stage == "publish")
    assert stage == "publish" or len(stage_parts(run, stage)) < parts
    assert half_written(disk.home) == []
    assert published(disk.home) == {"first": 12}

    disk.make_room()
    assert resume(disk.home) == 0
    assert_like_the_uninterrupted(disk.home, tiny_home)
    assert set(published(disk.home)) == {"first", TINY_RUN}
