"""Imported and derived runs are stored as folders: with the warehouse removed, `publish` brings all of them back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from pipeline import runs
from pipeline.__main__ import main
from pipeline.runs import jobs, locks, results
from pipeline.runs.ensembles import ensemble
from pipeline.runs.exchange import import_files
from pipeline.runs.outcomes import add_outcomes
from tests.warehouse.exchange import files
from warehouse import exchange, ingest, store
from warehouse.errors import WarehouseError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with an imported run."""
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    scores = files.write(files.long_frame(), tmp_path / "scores.csv")
    import_files(tmp_path / "home", [scores], "theirs", "auto")
    return tmp_path / "home"


def unlink(home: Path) -> None:
    """What the message about a damaged warehouse says to do, as if its file were gone too."""
    for path in home.glob("warehouse*.duckdb"):
        path.unlink()


def rows(home: Path) -> dict[str, dict[str, pl.DataFrame]]:
    """Everything in the warehouse, by run and table."""
    with store.open_read_only(home) as connection:
        ids = [str(row[0]) for row in connection.execute("SELECT run_id FROM run ORDER BY run_id").fetchall()]
    return {run_id: exchange.run_rows(home, run_id) for run_id in ids}


def same(first: dict[str, dict[str, pl.DataFrame]], second: dict[str, dict[str, pl.DataFrame]]) -> bool:
    return list(first) == list(second) and all(
        frame.equals(second[run_id][name]) for run_id, tables in first.items() for name, frame in tables.items()
    )


def test_without_the_warehouse_imports_ensembles_and_outcomes_are_published_again_as_they_were(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elo.csv").write_text("reward_model,outcome,value\nbig,elo,1000\nmid,elo,900\n")
    add_outcomes(home, [tmp_path / "elo.csv"], "theirs")
    derived = ensemble(home, "theirs", ["big", "mid"])
    before = rows(home)
    assert list(before) == ["theirs", derived.run_id]
    assert before["theirs"]["outcome"].height == 2
    unlink(home)
    assert main(["publish"]) == 0
    assert same(rows(home), before)
    assert capsys.readouterr().err == ""


def test_a_name_of_a_stored_run_is_not_given_again_and_a_deleted_run_does_not_come_back(
    home: Path, tmp_path: Path
) -> None:
    derived = ensemble(home, "theirs", ["big", "mid"])
    unlink(home)
    assert main(["publish", "theirs"]) == 0
    assert main(["import", str(tmp_path / "scores.csv"), "--run-id", derived.run_id]) == 2
    assert ensemble(home, "theirs", ["big", "mid"]).run_id not in ("theirs", derived.run_id)
    jobs.delete(home, derived.run_id)  # which is not published
    jobs.delete(home, "theirs")
    assert not (home / "runs" / "theirs").exists()
    assert main(["publish"]) == 0
    assert len(rows(home)) == 1


def test_a_run_that_is_stored_and_not_published_is_listed_as_such(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_files(home, [tmp_path / "scores.csv"], "more", "auto")
    ingest.remove(home, "more")
    assert main(["runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["theirs  published    results only", "more  unpublished  results only"]


def test_an_exported_run_is_stored_as_it_is_or_under_its_new_name(home: Path, tmp_path: Path) -> None:
    exchange.export_run(home, "theirs", tmp_path / "exported")
    jobs.delete(home, "theirs")
    import_files(home, [tmp_path / "exported"], run_id=None, layout="auto")
    import_files(home, [tmp_path / "exported"], "renamed", "auto")
    for path in (tmp_path / "exported").iterdir():
        assert (home / "runs" / "theirs" / path.name).read_bytes() == path.read_bytes()
    before = rows(home)
    unlink(home)
    assert main(["publish"]) == 0
    assert same(rows(home), before)
    assert list(before) == ["renamed", "theirs"]


@pytest.mark.parametrize("link", ["stays", "is removed"])
def test_an_import_of_an_older_version_is_stored_by_the_next_publish(
    home: Path, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows(home)
    shutil.rmtree(home / "runs")  # older versions had it in the warehouse only
    if link == "is removed":
        (home / "warehouse.duckdb").unlink()
    assert main(["publish"]) == 0
    assert "theirs: was in the warehouse only" in capsys.readouterr().out
    unlink(home)
    assert main(["publish"]) == 0
    assert same(rows(home), before)


def test_outcomes_of_an_import_of_an_older_version_store_it(home: Path, tmp_path: Path) -> None:
    shutil.rmtree(home / "runs")
    (tmp_path / "elo.csv").write_text("reward_model,outcome,value\nbig,elo,1000\n")
    add_outcomes(home, [tmp_path / "elo.csv"], "theirs")
    assert results.run_ids(home) == ["theirs"]


def test_a_damaged_warehouse_is_said_and_all_that_is_stored_is_published(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows(home)
    (build,) = home.glob("warehouse-*.duckdb")
    build.write_bytes(b"no database")
    (home / "warehouse.duckdb").unlink()
    assert main(["publish"]) == 0
    assert "what is only in the warehouse is not stored" in capsys.readouterr().err
    assert same(rows(home), before)


def test_a_damaged_folder_is_named_and_the_other_runs_are_published(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_files(home, [tmp_path / "scores.csv"], "more", "auto")
    score = home / "runs" / "more" / "score.parquet"
    score.write_bytes(score.read_bytes()[:-1])
    unlink(home)
    assert main(["publish"]) == 0
    assert "not published" in (line := capsys.readouterr().err)
    assert str(score) in line
    assert list(rows(home)) == ["theirs"]
    assert main(["publish", "more"]) == 2


def test_where_the_folder_cannot_be_written_nothing_is_published_or_left(
    tmp_path: Path,
) -> None:
    data, path = tmp_path / "home", files.write(files.long_frame(), tmp_path / "scores.csv")
    data.mkdir()
    (data / "runs").write_text("a file")
    with pytest.raises(WarehouseError, match="runs/theirs cannot be written"):
        import_files(data, [path], "theirs", "auto")
    assert store.build_id(data) is None
    assert sorted(path.name for path in data.iterdir()) == [".publish.lock", "runs"]


KILLED = """
import os, sys
from pathlib import Path
from pipeline.runs.exchange import import_files
replace = Path.replace

def die(self, target):
    if Path(target).name == "second":
        os.kill(os.getpid(), 9)
    return replace(self, target)

Path.replace = die
import_files(Path(sys.argv[1]), [Path(sys.argv[2])], "second", "auto")
"""


@pytest.mark.parametrize("again", ["publish", "import"])
def test_what_a_kill_between_publishing_and_renaming_leaves_is_shown_nowhere_and_removed(
    home: Path, tmp_path: Path, again: str, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, home, tmp_path / "scores.csv"], check=False)
    assert killed.returncode == -9
    (left,) = home.rglob(".partial-*")
    assert exchange.MANIFEST in [path.name for path in left.iterdir()]
    assert results.run_ids(home) == ["theirs"]
    assert runs.run_ids(home) == []
    assert main(["runs"]) == 0
    assert "partial" not in capsys.readouterr().out

    assert (
        main(["publish"] if again == "publish" else ["import", str(tmp_path / "scores.csv"), "--run-id", "more"]) == 0
    )
    assert list(home.rglob(".partial-*")) == []
    assert {"theirs", "second"} <= set(rows(home))
    assert main(["publish"]) == 0
    assert {"theirs", "second"} <= set(results.run_ids(home))


def test_what_another_process_is_writing_is_not_removed(home: Path, tmp_path: Path) -> None:
    with locks.drafting(home / "runs"):
        (home / "runs" / ".partial-another").mkdir()
        import_files(home, [tmp_path / "scores.csv"], "more", "auto")
        jobs.delete(home, "more")
        assert [path.name for path in home.rglob(".partial-*")] == [".partial-another"]
    import_files(home, [tmp_path / "scores.csv"], "more", "auto")
    assert list(home.rglob(".partial-*")) == []


def test_an_import_that_is_invalid_stores_nothing(tmp_path: Path) -> None:
    path = files.write(files.long_frame().drop("score"), tmp_path / "scores.csv")
    with pytest.raises(WarehouseError):
        import_files(tmp_path / "home", [path], "theirs", "auto")
    assert not (tmp_path / "home" / "runs").exists()
