"""Publishing never disturbs a reader, and readers can do nothing but read."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pytest

from tests.helpers.clocks import set_back
from tests.warehouse.rows import tiny_run
from warehouse import ingest, reads, store
from warehouse.errors import NoWarehouse, WarehouseError


def run_ids(data: Path) -> list[str]:
    with store.open_read_only(data) as connection:
        return sorted(reads.runs.all_runs(connection)["run_id"])


def test_an_empty_folder_says_how_to_make_a_warehouse(tmp_path: Path) -> None:
    assert store.build_id(tmp_path) is None
    with pytest.raises(NoWarehouse, match="righttree run"):
        store.open_read_only(tmp_path)


def test_a_reader_keeps_its_build_while_another_is_published(tmp_path: Path) -> None:
    ingest.publish(tmp_path, tiny_run("first"), "test")
    before = store.build_id(tmp_path)
    with store.open_read_only(tmp_path) as old:
        ingest.publish(tmp_path, tiny_run("second"), "test")
        assert reads.runs.all_runs(old)["run_id"].to_list() == ["first"]
        assert store.build_id(tmp_path) != before
        assert run_ids(tmp_path) == ["first", "second"]


def test_old_builds_are_removed_but_for_one(tmp_path: Path) -> None:
    for number in range(4):
        ingest.publish(tmp_path, tiny_run(f"run-{number}"), "test")
    assert len(list(tmp_path.glob("warehouse-*.duckdb"))) == 2
    assert not list(tmp_path.glob(".warehouse-*"))
    assert len(run_ids(tmp_path)) == 4


def test_the_build_before_stays_and_the_newest_is_the_last_by_name_though_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = None
    for number in range(5):
        ingest.publish(tmp_path, tiny_run(f"run-{number}"), "test")
        published = str(store.build_id(tmp_path))
        builds = {build.name for build in tmp_path.glob("warehouse-*.duckdb")}
        assert builds == {published, before or published}
        assert store.newest_build(tmp_path) == published
        before = published
        set_back(monkeypatch, store, hours=number)


def test_what_a_killed_build_left_is_removed_with_what_it_had_no_memory_for(tmp_path: Path) -> None:
    (tmp_path / ".warehouse-1.duckdb.draft").write_text("half")
    (tmp_path / ".warehouse-1.duckdb.draft.tmp").mkdir()
    (tmp_path / ".warehouse-1.duckdb.draft.tmp" / "duckdb_temp_storage-0.tmp").write_text("spilt")
    ingest.publish(tmp_path, tiny_run("first"), "test")
    assert not list(tmp_path.glob(".warehouse-*"))


def test_a_build_that_fails_leaves_the_published_one(tmp_path: Path) -> None:
    ingest.publish(tmp_path, tiny_run("first"), "test")
    before = store.build_id(tmp_path)
    with pytest.raises(duckdb.Error, match="nonsense"), store.building(tmp_path) as connection:
        connection.execute("DELETE FROM run; SELECT nonsense")
    assert store.build_id(tmp_path) == before
    assert run_ids(tmp_path) == ["first"]
    assert not list(tmp_path.glob(".warehouse-*"))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t (x INT)",
        "DELETE FROM run",
        "ATTACH 'other.duckdb'",
        "COPY run TO 'run.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "INSTALL httpfs",
        "SET enable_external_access = true",
    ],
)
def test_a_reader_can_only_read(tmp_path: Path, statement: str) -> None:
    ingest.publish(tmp_path, tiny_run(), "test")
    with store.open_read_only(tmp_path) as connection, pytest.raises(duckdb.Error):
        connection.execute(statement)


def test_a_corrupt_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    ingest.publish(tmp_path, tiny_run(), "test")
    build = tmp_path / str(store.build_id(tmp_path))
    build.write_bytes(b"no database" * 1000)
    with pytest.raises(WarehouseError, match="righttree publish"):
        store.open_read_only(tmp_path)


def test_readers_never_fail_while_builds_are_published(tmp_path: Path) -> None:
    ingest.publish(tmp_path, tiny_run("run-0"), "test")
    stop, failures, reads_done = threading.Event(), [], []

    def read() -> None:
        while not stop.is_set():
            try:
                reads_done.append(len(run_ids(tmp_path)))
            except Exception as error:
                failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 6):
        ingest.publish(tmp_path, tiny_run(f"run-{number}"), "test")
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert len(reads_done) > 5


def _age(data: Path, *statements: str) -> None:
    """Make the published build one of an older version."""
    with duckdb.connect(str(data / str(store.build_id(data)))) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_build_of_an_older_version_is_named_and_publishing_makes_it_anew(tmp_path: Path) -> None:
    ingest.publish(tmp_path, tiny_run("first"), "test")
    _age(tmp_path, "ALTER TABLE policy DROP COLUMN kl_coefficient", "DROP TABLE ppo_run")
    with pytest.raises(WarehouseError, match=r"older version, without policy.kl_coefficient and \d+ more.*publish"):
        store.open_read_only(tmp_path)
    ingest.publish(tmp_path, tiny_run("second"), "test")
    assert run_ids(tmp_path) == ["first", "second"]
    with store.open_read_only(tmp_path) as connection:
        assert connection.execute("SELECT kl_coefficient FROM policy WHERE run_id = 'first'").fetchall() == [(None,)]


def test_an_older_build_that_lacks_what_must_be_there_is_kept_and_named(tmp_path: Path) -> None:
    ingest.publish(tmp_path, tiny_run("first"), "test")
    _age(tmp_path, "ALTER TABLE response DROP COLUMN prompt_form")
    before = store.build_id(tmp_path)
    with pytest.raises(WarehouseError, match="cannot be carried over"):
        ingest.publish(tmp_path, tiny_run("second"), "test")
    assert store.build_id(tmp_path) == before
