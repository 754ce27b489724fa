"""Uploaded files: what is imported, what is refused in one line, and that nothing of them stays in the data folder."""

from __future__ import annotations

import gzip
import json
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.errors import InvalidUpload, PipelineError
from pipeline.runs import jobs
from pipeline.uploads import child, upload
from tests.helpers import simulated
from tests.warehouse.exchange import files
from warehouse import exchange as warehouse_exchange
from warehouse import reads, store
from warehouse.errors import InvalidRows, WarehouseError
from warehouse.exchange import Choices, ColumnMap


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder in which no upload is left."""
    home = tmp_path / "home"
    yield home
    assert list(home.glob(f"{upload.UPLOAD}*")) == []


def content(path: Path) -> bytes:
    return files.write(files.long_frame(), path).read_bytes()


def imported(data: Path) -> list[str]:
    with store.open_read_only(data) as connection:
        return reads.runs.all_runs(connection)["run_id"].to_list()


@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv", "scores.jsonl", "scores.json"])
def test_a_file_of_each_kind_becomes_a_run(data: Path, tmp_path: Path, name: str) -> None:
    found = jobs.import_uploads(data, [(name, content(tmp_path / name))], "theirs")
    assert found.run_id == "theirs"
    assert "3 reward models" in found.counts
    assert imported(data) == ["theirs"]


def test_an_exported_run_is_imported_under_its_name_or_another(data: Path, tmp_path: Path) -> None:
    packed = warehouse_exchange.pack(
        simulated.publish(tmp_path / "other", P=4, Q=4, M=3), "simulated", tmp_path / "run"
    )
    assert jobs.import_uploads(data, [("simulated.zip", packed)]).run_id == "simulated"
    assert jobs.import_uploads(data, [("simulated.zip", packed)], "second").run_id == "second"
    with pytest.raises(PipelineError, match="exists already"):
        jobs.import_uploads(data, [("simulated.zip", packed)])
    assert set(imported(data)) == {"simulated", "second"}


@pytest.mark.parametrize(
    "name",
    ["../scores.csv", "/etc/scores.csv", ".scores.csv", "a/b.csv", "a\nb.csv", "scores.pkl", ""],
)
def test_a_name_that_is_not_plain_or_of_another_kind_is_refused(data: Path, name: str) -> None:
    with pytest.raises(InvalidUpload, match=r"^[^\n]*$"):
        jobs.import_uploads(data, [(name, b"prompt_id\n")])
    assert not data.exists()


def test_a_packed_file_is_read_unless_it_is_packed_twice(data: Path) -> None:
    scores = files.long_frame().write_csv().encode()
    assert jobs.import_uploads(data, [("scores.csv.gz", gzip.compress(scores))], "packed").run_id == "packed"
    with pytest.raises(InvalidRows, match="packed twice"):
        jobs.import_uploads(data, [("scores.csv.gz", gzip.compress(gzip.compress(b"a,b")))])
    assert imported(data) == ["packed"]


def test_too_much_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "MOST_BYTES", 2**20)
    with pytest.raises(InvalidUpload, match="the files have 2 MiB, an upload may have 1 MiB"):
        jobs.import_uploads(data, [("a.csv", b"0" * 2**20), ("b.csv", b"0" * 2**20)])
    with pytest.raises(InvalidUpload, match="101 files"):
        jobs.import_uploads(data, [(f"{number}.csv", b"0") for number in range(101)])


def test_two_archives_or_one_beside_files_are_refused(data: Path) -> None:
    with pytest.raises(InvalidUpload, match="imported alone"):
        jobs.import_uploads(data, [("a.zip", b""), ("b.csv", b"")])


def test_no_file_and_the_same_name_twice_are_refused(data: Path) -> None:
    with pytest.raises(InvalidUpload, match="no files"):
        jobs.import_uploads(data, [])
    with pytest.raises(InvalidUpload, match="two files of this name"):
        jobs.import_uploads(data, [("a.csv", b"0"), ("a.csv", b"0")])


class Attack:
    """Writes a file as soon as it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> object:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl", "a.json", "a.zip"])
def test_a_pickle_under_another_name_is_not_opened(data: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises((InvalidRows, WarehouseError), match=name):
        jobs.import_uploads(data, [(name, pickle.dumps(Attack(tmp_path / "opened")))])
    assert not (tmp_path / "opened").exists()
    assert store.build_id(data) is None


def test_the_first_rows_are_those_of_the_file_with_their_types(data: Path) -> None:
    rows = [{"prompt_id": "a", "score": 0.5, "n": 1, "good": True, "meta": {"id": 7}, "none": None}]
    lines = "".join(f"{json.dumps(row)}\n" for row in rows * 9)
    (frame,) = jobs.first_rows(data, [("a.jsonl", lines.encode())], 2).values()
    assert frame.to_dicts() == rows * 2
    assert [frame[name].dtype for name in ("score", "n", "good", "none")] == [
        pl.Float64(),
        pl.Int64(),
        pl.Boolean(),
        pl.String(),
    ]


def test_how_scores_are_read_is_handed_over(data: Path) -> None:
    frame = files.long_frame().rename({"prompt_id": "question"})
    content = frame.write_csv().encode()
    columns = ColumnMap({"prompt_id": "question"})
    jobs.import_uploads(data, [("a.csv", content)], "theirs", Choices(golden=("big",)), columns=columns)
    with store.open_read_only(data) as connection:
        roles = dict(reads.runs.reward_models(connection, "theirs").select("reward_model_id", "role").iter_rows())
    assert roles == {"big": "golden", "mid": "proxy", "small": "proxy"}


def test_an_invalid_file_is_refused_in_one_line_and_nothing_is_written(data: Path) -> None:
    with pytest.raises(InvalidRows, match=r"^scores\.csv, row 1: wrong columns[^\n]*$"):
        jobs.import_uploads(data, [("scores.csv", b"prompt_id,score\na,1\n")])
    assert store.build_id(data) is None


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline.uploads import child, upload
def execute(folder):
    assert (folder / "files" / "scores.csv").is_file()
    os.kill(os.getpid(), signal.SIGKILL)
upload.first_rows(Path(sys.argv[1]), [("scores.csv", b"prompt_id,score\\n")], 5, execute=execute)
"""


def test_the_next_upload_removes_what_a_killed_server_left_and_not_what_another_reads(data: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(data)], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    (left,) = data.glob(f"{upload.UPLOAD}*")
    scores = [("scores.csv", content(data.parent / "scores.csv"))]

    def while_another_reads(folder: Path) -> dict[str, Any]:
        upload.first_rows(data, scores, 5)
        assert folder.is_dir()
        return child.execute(folder)

    upload.first_rows(data, scores, 5, execute=while_another_reads)
    assert not left.exists()
