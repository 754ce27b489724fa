"""How much of a file is read: rows and sizes are looked at before anything is decoded, and packed files stop early."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from warehouse import exchange
from warehouse.errors import InvalidRows
from warehouse.exchange.reading import read_sheet, read_sheets
from warehouse.exchange.reading.limits import COMMAND_LINE, Limits

FEW = Limits(rows=100, unpacked_bytes=2**20, remedy="make it smaller")
FRAME = pl.DataFrame({"prompt_id": [f"p{number}" for number in range(101)], "score": [0.5] * 101})


def written(path: Path, frame: pl.DataFrame = FRAME) -> Path:
    if path.suffix == ".arrow":
        frame.write_ipc(path)
    elif path.suffix == ".stream":
        frame.write_ipc_stream(path.with_suffix(".arrow"))
        return path.with_suffix(".arrow")
    elif path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_ndjson(path)
    return path


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.stream", "a.csv", "a.jsonl"])
def test_more_rows_than_the_limit_are_refused_and_as_many_are_read(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name)
    with pytest.raises(InvalidRows, match=rf"^{path.name}: 101 rows, at most 100 are read; make it smaller$"):
        read_sheet(path, limits=FEW)
    assert read_sheet(written(tmp_path / name, FRAME.head(100)), limits=FEW).frame.height == 100


def test_the_rows_of_all_files_count_together(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a.csv", FRAME.head(60)), written(tmp_path / "b.csv", FRAME.head(41))
    with pytest.raises(InvalidRows, match=r"^b\.csv: 41 rows, at most 40 are read"):
        read_sheets([first, second], limits=FEW)


def test_200_million_rows_are_refused_on_the_command_line_too_before_they_take_memory(tmp_path: Path) -> None:
    rows = pa.table({"score": np.zeros(10_000_000)})
    with pq.ParquetWriter(tmp_path / "a.parquet", rows.schema, compression="zstd") as file:
        for _ in range(11):
            file.write_table(rows)
    before = psutil.Process().memory_info().rss
    with pytest.raises(InvalidRows, match="110,000,000 rows, at most 100,000,000 are read"):
        read_sheet(tmp_path / "a.parquet")
    assert psutil.Process().memory_info().rss < before + 50 * 2**20


@pytest.mark.parametrize("encoding", ["plain", "dictionary"])
def test_what_a_parquet_file_takes_when_decoded_is_known_from_its_footer(tmp_path: Path, encoding: str) -> None:
    if encoding == "plain":  # a text that compresses well
        rows = pa.table({"text": ["a" * 2**18] * 8})
        pq.write_table(rows, tmp_path / "a.parquet", compression="brotli", use_dictionary=False)
    else:  # numbers that are stored in a bit each
        rows = pa.table({"lists": [[0.5] * 200_000]})
        pq.write_table(rows, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 4096
    with pytest.raises(InvalidRows, match="MiB unpacked, at most 1 MiB are read; make it smaller"):
        read_sheet(tmp_path / "a.parquet", limits=FEW)
    assert read_sheet(tmp_path / "a.parquet").frame.height == rows.num_rows


def test_a_damaged_footer_is_said_as_such(tmp_path: Path) -> None:
    content = written(tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(content[:-200] + b"\xff" * 192 + content[-8:])
    with pytest.raises(InvalidRows, match=r"^a\.parquet: no whole Parquet file"):
        read_sheet(tmp_path / "a.parquet")


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_packed_file_stops_at_the_limit_and_at_250_times_its_size(tmp_path: Path, suffix: str) -> None:
    def packed(size: int) -> bytes:
        content = b"a,b\n" * (size // 4)
        return gzip.compress(content) if suffix == ".gz" else bytes(pa.compress(content, "zstd", asbytes=True))

    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(packed(2 * 2**20))
    with pytest.raises(InvalidRows, match="more than 1 MiB unpacked; make it smaller"):
        read_sheet(path, limits=FEW)
    path.write_bytes(packed(70 * 2**20))
    with pytest.raises(InvalidRows, match="more than 64 MiB unpacked, above 250 times its size; unpack it first"):
        read_sheet(path)


def test_a_file_that_is_larger_than_the_limit_is_not_opened(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(COMMAND_LINE.unpacked_bytes + 1)  # takes no space on the disk
    with pytest.raises(InvalidRows, match="leave prompts or reward models out"):
        read_sheet(tmp_path / "a.csv")


def test_an_exported_run_has_limits_too(tmp_path: Path) -> None:
    from tests.helpers import simulated

    home = simulated.publish(tmp_path / "home", P=4, Q=4, M=3)
    exchange.export_run(home, "simulated", tmp_path / "run")
    with pytest.raises(InvalidRows, match="at most"):
        exchange.read_folder(tmp_path / "run", limits=FEW._replace(rows=10))
