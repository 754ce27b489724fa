"""Parts and warehouses that were cut off or have a flipped bit: detected, named and repaired by the printed command."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from random import Random

import pytest

from pipeline import runs
from pipeline.__main__ import main
from pipeline.config import load_profile
from pipeline.errors import DamagedRun
from tests.app.conftest import OpenPage
from tests.warehouse.rows import tiny_run
from warehouse import ingest, reads, store
from warehouse.errors import WarehouseError
from warehouse.schema import TABLES

pytestmark = pytest.mark.reliability

FLIPS = 200


def flipped(rng: Random, content: bytes) -> bytes:
    """One random bit flipped."""
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :]


def test_a_part_with_any_bit_flipped_or_any_end_cut_off_is_noticed(tmp_path: Path) -> None:
    run = runs.create(tmp_path, load_profile("smoke"), "one")
    rows = tiny_run("one", samples=200)["response"]
    run.write_part("response", "test_responses", 0, rows.drop("run_id"))
    part = next((run.path / "response").glob("*.parquet"))
    content, rng = part.read_bytes(), Random(1)
    damaged = [flipped(rng, content) for _ in range(FLIPS)]
    damaged += [content[: rng.randrange(len(content))] for _ in range(20)]
    for changed in damaged:
        part.write_bytes(changed)
        with pytest.raises(DamagedRun, match=rf"^[^\n]*{re.escape(part.name)}[^\n]*righttree resume one[^\n]*$"):
            run.read("response")
    part.write_bytes(content)
    assert run.read("response").height == rows.height


def test_a_checksum_that_was_cut_off_does_not_affect_others(tmp_path: Path) -> None:
    run = runs.create(tmp_path, load_profile("smoke"), "one")
    rows = tiny_run("one")["response"].drop("run_id")
    for number in range(3):
        run.write_part("response", "test_responses", number, rows.slice(number, 1))
        sums = run.path / "parts.sha256"
        sums.write_bytes(sums.read_bytes() + b"0123abc")  # as a full disk or a kill leaves it
    assert run.read("response").height == 3
    part = run.path / "response" / "test_responses-00001.parquet"
    part.write_bytes(flipped(Random(1), part.read_bytes()))
    with pytest.raises(DamagedRun, match="test_responses-00001"):
        run.read("response")


def read_all(home: Path) -> None:
    with store.open_read_only(home) as connection:
        for table in TABLES:
            connection.execute(f'SELECT * FROM "{table}"').pl()


def test_a_warehouse_with_any_bit_flipped_is_noticed(tmp_path: Path) -> None:
    ingest.publish(tmp_path, tiny_run("first", samples=2000), "test")
    build = tmp_path / str(store.build_id(tmp_path))
    content, rng = build.read_bytes(), Random(3)
    for _ in range(FLIPS):
        build.write_bytes(flipped(rng, content))
        with pytest.raises((WarehouseError, store.Damaged)):
            read_all(tmp_path)
    build.write_bytes(content)
    read_all(tmp_path)


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose published build opens and cannot be read; the one before it is whole."""
    home = tmp_path / "home"
    monkeypatch.setenv("RIGHTTREE_HOME", str(home))
    ingest.publish(home, tiny_run("first"), "test")
    ingest.publish(home, tiny_run("second", samples=2000), "test")
    build = home / str(store.build_id(home))
    content, rng = build.read_bytes(), Random(4)
    while True:
        build.write_bytes(flipped(rng, content))
        try:
            with store.open_read_only(home) as connection:
                reads.runs.all_runs(connection)
        except WarehouseError:
            continue
        except store.Damaged:
            return home


def test_the_message_about_a_damaged_warehouse_restores_the_last_good_one(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["measure"], ["export", str(damaged / "new")]):
        assert main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "damaged" in line
        assert "corrupt" in line.lower()
    with pytest.raises(WarehouseError, match="cannot be carried over"):
        ingest.publish(damaged, tiny_run("third"), "test")
    subprocess.run(re.findall("`([^`]*)`", line)[0], shell=True, check=True)
    with store.open_read_only(damaged) as connection:
        assert reads.runs.all_runs(connection)["run_id"].to_list() == ["first"]
    ingest.publish(damaged, tiny_run("third"), "test")


@pytest.mark.parametrize("view", ["overview", "explore", "measures", "responses", "reward_models", "runs"])
def test_every_page_says_that_the_warehouse_is_damaged(damaged: Path, open_view: OpenPage, view: str) -> None:
    page = open_view(view, damaged)
    assert not page.exception
    assert any("damaged" in warning.value for warning in page.warning)
