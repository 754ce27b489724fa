"""An exported run as a ZIP: the same bytes each time, back without loss, and nothing else taken out of one."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tests.helpers import simulated
from warehouse import exchange
from warehouse.errors import InvalidRows, UnknownName

MOST = exchange.Limits(rows=10_000, unpacked_bytes=2**24, remedy="make it smaller")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated.publish(tmp_path_factory.mktemp("archive"), P=4, Q=4, M=3)


@pytest.fixture(scope="module")
def packed(home: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return exchange.pack(home, "simulated", tmp_path_factory.mktemp("pack") / "run")


def changed(packed: bytes, **contents: bytes) -> bytes:
    """The archive with other files beside, or in the place of, its own."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        files = {name: old.read(name) for name in old.namelist()} | contents
        for name, content in files.items():
            new.writestr(name, content)
    return target.getvalue()


def test_packed_and_unpacked_a_run_is_what_export_writes(home: Path, packed: bytes, tmp_path: Path) -> None:
    exchange.export_run(home, "simulated", tmp_path / "exported")
    exchange.unpack("run.zip", packed, tmp_path / "unpacked", MOST)
    written = {path.name: path.read_bytes() for path in (tmp_path / "exported").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "unpacked").iterdir()} == written
    assert exchange.pack(home, "simulated", tmp_path / "again") == packed
    run_id, rows = exchange.read_folder(tmp_path / "unpacked", "another")
    assert run_id == "another"
    assert rows["score"].height > 0


def test_an_unknown_run_is_not_packed(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="gone"):
        exchange.pack(home, "gone", tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/outside.txt", "simulated/extra.parquet"])
def test_a_file_that_is_no_part_of_an_export_is_refused(packed: bytes, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRows, match="no export of a run"):
        exchange.unpack("run.zip", changed(packed, **{name: b"x"}), tmp_path / "run", MOST)
    assert not (tmp_path / "outside.txt").exists()


def test_a_path_that_leads_out_of_the_folder_is_not_followed(packed: bytes, tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr("../../" + name.rsplit("/", 1)[-1], old.read(name))
    exchange.unpack("run.zip", target.getvalue(), tmp_path / "run", MOST)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_more_than_may_be_unpacked_is_refused_whatever_the_zip_says(packed: bytes, tmp_path: Path) -> None:
    bomb = changed(packed, **{"simulated/score.parquet": b"0" * 2**22})
    assert len(bomb) < 2**20
    with pytest.raises(InvalidRows, match="more than 1 MiB unpacked"):
        exchange.unpack("run.zip", bomb, tmp_path / "run", MOST._replace(unpacked_bytes=2**20))
    assert sum(path.stat().st_size for path in (tmp_path / "run").iterdir()) <= 2**20


def test_more_than_the_size_of_the_zip_allows_is_refused(packed: bytes, tmp_path: Path) -> None:
    bomb = changed(packed, **{"simulated/score.parquet": b"0" * 70 * 2**20})
    limits = MOST._replace(unpacked_bytes=2**40)
    with pytest.raises(InvalidRows, match="more than 64 MiB unpacked, above 250 times its size"):
        exchange.unpack("run.zip", bomb, tmp_path / "run", limits)


@pytest.mark.parametrize("cut", [0, 20, 0.5, 0.99])
def test_a_zip_that_is_cut_off_is_one_line(packed: bytes, tmp_path: Path, cut: float) -> None:
    content = packed[: int(cut * len(packed)) if cut < 1 else int(cut)]
    with pytest.raises(InvalidRows, match=r"^run\.zip: no whole ZIP file[^\n]*$"):
        exchange.unpack("run.zip", content, tmp_path / "run", MOST)
