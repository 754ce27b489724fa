"""Uploads that would take a server's memory or time: the process that reads them ends, in one line, and nothing else.

These are small files. Each was made so that reading it where the pages are served would end, or fill, that process.
"""

from __future__ import annotations

import gzip
import json
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import InvalidUpload, PipelineError
from pipeline.runs import jobs
from pipeline.uploads import child, upload
from tests.warehouse.exchange import files
from warehouse import store
from warehouse.errors import InvalidRows, WarehouseError

LITTLE = 512 * 2**20


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "home"


def refused(data: Path, name: str, content: bytes, execute: upload.Execute = child.execute) -> str:
    """The one line that an upload is refused with, after which nothing of it is left."""
    with pytest.raises((PipelineError, WarehouseError), match=r"^[^\n]+$") as error:
        upload.import_uploads(data, [(name, content)], "theirs", execute=execute)
    assert list(data.iterdir()) == []
    assert store.build_id(data) is None
    return str(error.value)


def test_a_small_parquet_file_of_many_rows_is_refused_by_its_footer(data: Path, tmp_path: Path) -> None:
    rows = pa.table({"score": np.zeros(11_000_000)})
    pq.write_table(rows, tmp_path / "a.parquet", compression="zstd")
    content = (tmp_path / "a.parquet").read_bytes()
    assert len(content) < 2**20
    line = (
        "a.parquet: 11,000,000 rows, at most 10,000,000 are read; import it with `righttree import`, which reads more"
    )
    assert refused(data, "a.parquet", content) == line
    with pytest.raises(InvalidRows, match="at most 10,000,000 are read"):
        jobs.first_rows(data, [("a.parquet", content)], 5)


def test_what_fills_the_memory_ends_the_reader_and_not_the_server(data: Path) -> None:
    deep = "[" + ",".join("{}" for _ in range(20_000_000)) + "]"  # 60 MB of JSON, some GB of objects
    execute = partial(child.execute, most_memory_bytes=LITTLE)
    before = psutil.Process().memory_info().rss
    line = refused(data, "a.json.gz", gzip.compress(deep.encode(), 1), execute)
    assert line.startswith("reading the files takes more than 512 MiB of memory; import it with `righttree import`")
    assert psutil.Process().memory_info().rss < before + LITTLE / 2


def test_what_makes_polars_end_its_process_is_one_line(data: Path, tmp_path: Path) -> None:
    rows = pa.table({"score": np.zeros(9_000_000), "again": np.zeros(9_000_000), "more": np.zeros(9_000_000)})
    pq.write_table(rows, tmp_path / "a.parquet", compression="zstd")
    execute = partial(child.execute, most_memory_bytes=300 * 2**20)
    assert "more than 300 MiB of memory" in refused(data, "a.parquet", (tmp_path / "a.parquet").read_bytes(), execute)


def test_what_takes_too_long_is_given_up(data: Path) -> None:
    content = files.long_frame().write_csv().encode()
    execute = partial(child.execute, most_s=0.01)
    assert "takes longer than 0.01 s" in refused(data, "a.csv", content, execute)
    assert [process for process in psutil.Process().children() if "pipeline.uploads" in process.cmdline()] == []


def test_within_the_limits_a_file_is_read_and_the_warehouse_is_built(data: Path) -> None:
    content = files.long_frame(prompts=200).write_csv().encode()
    execute = partial(child.execute, most_memory_bytes=2 * LITTLE)
    assert upload.import_uploads(data, [("a.csv", content)], "theirs", execute=execute).run_id == "theirs"


def test_a_reader_that_fails_says_so_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "request.json").write_text(json.dumps({"files": []}))
    with pytest.raises(InvalidUpload, match="their reader failed"):
        child.execute(tmp_path)
    assert "KeyError" in capsys.readouterr().err
