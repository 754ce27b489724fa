"""Run directories: whole parts or none, one worker at a time, states that survive a death."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from pipeline import flow, runs
from pipeline.config import load_profile
from pipeline.errors import DamagedRun, InvalidConfig, RunBusy, UnknownRun
from pipeline.runs import ensembles, jobs, locks
from pipeline.runs.exchange import import_files
from pipeline.stages import STAGES
from tests.helpers.clocks import set_back
from tests.warehouse.exchange import files
from warehouse.errors import InvalidRows

SMOKE = load_profile("smoke")
LABELS = pl.DataFrame({"reward_model_id": ["a"], "preference_id": ["p"], "flipped": [True]})


@pytest.fixture
def run(tmp_path: Path) -> runs.RunDirectory:
    return runs.create(tmp_path, SMOKE, "one")


def test_a_run_remembers_its_config(run: runs.RunDirectory, tmp_path: Path) -> None:
    assert runs.open_run(tmp_path, "one").config == SMOKE


def test_runs_started_within_one_second_keep_their_order(tmp_path: Path) -> None:
    begun = ["z", "m", "a", "k"]
    for name in begun:
        runs.create(tmp_path, SMOKE, name)
    assert runs.run_ids(tmp_path) == begun[::-1]
    assert jobs.stopped(tmp_path, SMOKE) == "k"


def test_the_first_stages_alone_are_done_where_only_they_are_wanted(run: runs.RunDirectory) -> None:
    flow.execute(run, io.StringIO(), stages=STAGES[:1])
    assert [stage for stage in STAGES if run.is_done(stage)] == ["prompts"]
    assert run.read("prompt").height > 0


def test_a_part_is_read_back_and_named_by_stage_and_unit(run: runs.RunDirectory) -> None:
    assert not run.has_part("label", "reward_models", "a")
    run.write_part("label", "reward_models", "a", LABELS)
    assert run.has_part("label", "reward_models", "a")
    assert run.read("label").equals(LABELS)
    assert run.read("label", "another_stage").is_empty()


def test_a_part_that_breaks_the_schema_is_not_written(run: runs.RunDirectory) -> None:
    with pytest.raises(InvalidRows, match="column flipped"):
        run.write_part("label", "reward_models", "a", LABELS.with_columns(flipped=pl.lit(None, dtype=pl.Boolean)))
    assert not run.has_part("label", "reward_models", "a")


def test_a_write_that_fails_leaves_no_file_of_that_name(run: runs.RunDirectory) -> None:
    target = run.work_path("file.bin")

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        run.write_atomically(target, fail)
    assert not target.exists()


def test_leftovers_of_a_killed_process_are_removed_when_work_begins(run: runs.RunDirectory) -> None:
    leftover = run.path / "score" / ".partial-scores-00001.parquet"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half")
    with run.working():
        assert not leftover.exists()


def test_one_process_at_a_time_works_on_a_run(run: runs.RunDirectory, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from pipeline import runs\n"
        f"with runs.open_run(Path({str(tmp_path)!r}), 'one').working(): pass"
    )
    with run.working():
        assert run.is_running
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert RunBusy.__name__ in done.stderr
    assert not run.is_running


def test_a_dead_process_releases_its_run(run: runs.RunDirectory, tmp_path: Path) -> None:
    code = (
        "import os; from pathlib import Path; from pipeline import runs\n"
        f"with runs.open_run(Path({str(tmp_path)!r}), 'one').working():\n"
        "    print('in', flush=True)\n"
        "    os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "in\n"
    assert not run.is_running
    assert jobs.status(tmp_path, "one").state == "interrupted"


def test_the_worker_is_found_where_its_folder_has_another_name(run: runs.RunDirectory, tmp_path: Path) -> None:
    """As where a folder is mounted at two places; a hard link gives the file a second name, too."""
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (run.path / locks.LOCK).touch()
    (mounted / locks.LOCK).hardlink_to(run.path / locks.LOCK)
    with locks.hold(mounted):
        assert run.worker() == os.getpid()
    assert run.worker() is None


def test_the_newest_run_is_the_last_that_began_though_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        runs.create(tmp_path, SMOKE, f"{3 - number}")
        set_back(monkeypatch, runs, hours=number)
    assert runs.run_ids(tmp_path) == ["1", "2", "3"]


def test_the_newest_result_is_the_last_that_was_published_though_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = files.write(files.long_frame(), tmp_path / "scores.csv")
    for number in range(2):
        import_files(tmp_path, [scores], f"{2 - number}", "auto")
        set_back(monkeypatch, runs, hours=1)
    derived = ensembles.ensemble(tmp_path, "2", ["big", "mid"])
    assert runs.published_runs(tmp_path) == [derived.run_id, "1", "2"]


@pytest.mark.parametrize("text", ["", "x", "0", "-5", "9" * 30, pytest.param(f"{os.getpid()} 1", id="another start")])
def test_a_lock_without_an_id_of_a_process_has_no_worker(run: runs.RunDirectory, text: str) -> None:
    with run.held():
        (run.path / locks.LOCK).write_text(text)
        assert run.worker() is None


def test_a_run_is_running_failed_or_interrupted(run: runs.RunDirectory, tmp_path: Path) -> None:
    assert jobs.status(tmp_path, "one").state == "interrupted"
    run.write_error("the disk is full")
    status = jobs.status(tmp_path, "one")
    assert (status.state, status.error) == ("failed", "the disk is full")
    with run.working():
        assert jobs.status(tmp_path, "one").state == "running"


@pytest.mark.parametrize("name", ["../one", ".hidden", "a/b", "", "one two"])
def test_a_run_id_is_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidConfig, match="run id"):
        runs.create(tmp_path, SMOKE, name)
    with pytest.raises(UnknownRun):
        runs.open_run(tmp_path, name)


def test_an_existing_id_is_refused(run: runs.RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="righttree resume one"):
        runs.create(tmp_path, SMOKE, "one")


def test_an_unknown_run_lists_the_known_ones(run: runs.RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(UnknownRun, match=r"\['one'\]"):
        runs.open_run(tmp_path, "two")


def test_a_truncated_part_is_named_with_what_to_do(run: runs.RunDirectory) -> None:
    run.write_part("label", "reward_models", "a", LABELS)
    part = next((run.path / "label").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:40])
    with pytest.raises(DamagedRun, match="righttree resume one"):
        run.read("label")


def test_a_config_that_was_tampered_with_is_refused(run: runs.RunDirectory, tmp_path: Path) -> None:
    settings = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(settings | {"seed": "many"}))
    with pytest.raises(InvalidConfig, match="run one: seed"):
        runs.open_run(tmp_path, "one")
    (listed,) = jobs.list_runs(tmp_path)
    assert (listed.state, listed.error) == (
        "unreadable",
        "run one: seed: Input should be a valid integer, unable to parse string as an integer; got 'many'",
    )
