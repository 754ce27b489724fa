"""Every kind of file is told by its content and read with its types; what cannot be read is named."""

from __future__ import annotations

import datetime
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from warehouse.errors import InvalidRows
from warehouse.exchange.reading import read_sheet

FRAME = pl.DataFrame({"prompt_id": ["a", "b"], "count": [1, 2], "score": [0.5, -2.25]})
RECORDS = FRAME.to_dicts()
COLUMNS = {name: {str(row): cell for row, cell in enumerate(FRAME[name])} for name in FRAME.columns}
TABLE_SCHEMA = {"fields": [{"name": "index", "type": "integer"}], "primaryKey": ["index"], "pandas_version": "1.4.0"}


def lines(items: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(item) + "\n" for item in items).encode()


def parquet() -> bytes:
    file = io.BytesIO()
    FRAME.write_parquet(file)
    return file.getvalue()


def arrow(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


CSV = FRAME.write_csv().encode()
JSON: dict[str, object] = {
    "records": RECORDS,
    "columns of lists": FRAME.to_dict(as_series=False),
    "pandas columns": COLUMNS,
    "pandas index": {str(row): record for row, record in enumerate(RECORDS)},
    "pandas split": {"columns": FRAME.columns, "index": [0, 1], "data": [list(row) for row in FRAME.rows()]},
    "pandas table": {"schema": TABLE_SCHEMA, "data": [{"index": 0} | RECORDS[0], {"index": 1} | RECORDS[1]]},
    "under data": {"data": RECORDS},
    "under results, beside numbers": {"accuracy": 0.5, "results": RECORDS},
    "columns under data": {"data": FRAME.to_dict(as_series=False)},
    "the hub's rows": {"features": [], "rows": [{"row_idx": n, "row": row} for n, row in enumerate(RECORDS)]},
}
TYPED: dict[str, tuple[str, bytes]] = {
    "Parquet": ("a.parquet", parquet()),
    "Arrow file": ("a.arrow", arrow(FRAME.write_ipc)),
    "Feather": ("a.feather", arrow(FRAME.write_ipc)),
    "Arrow stream": ("a.arrow", arrow(FRAME.write_ipc_stream)),
    "JSON Lines": ("a.jsonl", lines(RECORDS)),
    "JSON Lines under .json": ("a.json", lines(RECORDS)),
    "JSON Lines under a name without extension": ("results", lines(RECORDS)),
    "JSON Lines with blank lines": ("a.jsonl", lines(RECORDS).replace(b"\n", b"\r\n\r\n")),
    "a list under .jsonl": ("a.jsonl", json.dumps(RECORDS).encode()),
    "indented": ("a.json", json.dumps(RECORDS, indent=2).encode()),
    "with a byte order mark": ("a.json", b"\xef\xbb\xbf" + json.dumps(RECORDS).encode()),
    "UTF-16 JSON": ("a.json", json.dumps(RECORDS).encode("utf-16")),
    "Parquet under another name": ("a.csv", parquet()),
    "gzip": ("a.jsonl.gz", gzip.compress(lines(RECORDS))),
    "zstd": ("a.jsonl.zst", zstd(lines(RECORDS))),
    "zstd of two frames": ("a.jsonl.zst", b"".join(zstd(lines([record])) for record in RECORDS)),
    "gzip in disguise": ("a.parquet", gzip.compress(parquet())),
} | {f"JSON, {name}": ("a.json", json.dumps(value).encode()) for name, value in JSON.items()}

TEXTS: dict[str, tuple[str, bytes]] = {
    "commas": ("a.csv", CSV),
    "a byte order mark": ("a.csv", b"\xef\xbb\xbf" + CSV),
    "semicolons": ("a.csv", CSV.replace(b",", b";")),
    "decimal commas": ("a.csv", CSV.replace(b",", b";").replace(b".", b",")),
    "tabs": ("a.tsv", CSV.replace(b",", b"\t")),
    "tabs under .csv": ("a.csv", CSV.replace(b",", b"\t")),
    "Excel's line": ("a.csv", b"sep=;\r\n" + CSV.replace(b",", b";").replace(b"\n", b"\r\n")),
    "Excel's Unicode text": ("a.txt", CSV.replace(b",", b"\t").decode().encode("utf-16")),
    "UTF-16": ("a.csv", CSV.decode().encode("utf-16")),
    "UTF-16 of the other order": ("a.csv", b"\xfe\xff" + CSV.decode().encode("utf-16-be")),
    "quotes": ("a.csv", b'"prompt_id","count","score"\n"a","1","0.5"\n"b",2,-2.25\n'),
    "CSV, gzip": ("a.csv.gz", gzip.compress(CSV)),
    "TSV, zstd": ("a.tsv.zst", zstd(CSV.replace(b",", b"\t"))),
}


@pytest.mark.parametrize("case", TYPED)
def test_a_file_with_types_keeps_them(tmp_path: Path, case: str) -> None:
    name, content = TYPED[case]
    (tmp_path / name).write_bytes(content)
    frame = read_sheet(tmp_path / name).frame
    assert frame.schema == FRAME.schema
    assert frame.equals(FRAME)


@pytest.mark.parametrize("case", TEXTS)
def test_csv_is_text_with_numbers_in_it(tmp_path: Path, case: str) -> None:
    name, content = TEXTS[case]
    (tmp_path / name).write_bytes(content)
    sheet = read_sheet(tmp_path / name)
    assert sheet.frame.columns == FRAME.columns
    assert sheet.texts("prompt_id").to_list() == ["a", "b"]
    assert sheet.texts("count").to_list() == ["1", "2"]
    assert sheet.scores("score").to_list() == [0.5, -2.25]


BROKEN: dict[str, tuple[str, bytes, str]] = {
    "cut gzip": ("a.csv.gz", gzip.compress(CSV)[:-9], "a.csv.gz: cannot be read .*cut off"),
    "cut zstd": ("a.csv.zst", zstd(CSV * 99)[:-5], "a.csv.zst: cannot be read .*cut off"),
    "cut Arrow": ("a.arrow", TYPED["Arrow file"][1][:-40], "a.arrow: no whole Arrow file .*cut off"),
    "Excel": ("a.csv", b"PK\x03\x04 and so on", "a.csv: it is a ZIP or an Excel workbook: .*save the sheet as CSV"),
    "pickle": ("a.json", b"\x80\x04\x95 and so on", "a.json: it is a pickle, which is never loaded"),
    "Git LFS": (
        "a.parquet",
        b"version https://git-lfs.github.com/spec/v1\noid x\n",
        "it is a Git LFS pointer, .*lfs pull",
    ),
    "text of no kind": ("notes.txt", b"a,b\n1,2\n", r"notes.txt: unknown extension '.txt'; give one of .parquet"),
    "CSV named JSON": ("a.json", CSV, "a.json: no whole JSON .*begins with 'prompt_id.*if it is CSV, name it .csv"),
    "several tables": (
        "a.json",
        json.dumps({"train": RECORDS, "test": RECORDS[:1]}).encode(),
        r"rows under several names, \['train', 'test'\]; give each as a file",
    ),
    "lists of two lengths": ("a.json", b'[["a", 1], ["b"]]', "a.json, row 2: got 1 values, wanted 2"),
    "a line that is none": ("a.json", lines(RECORDS) + b"[1]\n", r"a.json, row 3 \(line 3\): got \[1\]; every line is"),
    "half a character beside the rows": (
        "a.json",
        b'{"model": "\\ud800", "data": [{"score": 1}]}',
        r"a.json, 'model': half a character \(U\+D800\)",
    ),
    "semicolons and a long row": (
        "a.csv",
        b"a;b\n1;2;3\n",
        "wanted 2; put fields with semicolons in quotes",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_read_gets_one_line_that_says_why(tmp_path: Path, case: str) -> None:
    name, content, message = BROKEN[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidRows, match=message) as raised:
        read_sheet(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_durations_are_left_out_and_said(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"prompt_id": ["a"], "wall": [datetime.timedelta(seconds=1)], "day": [datetime.date(2026, 1, 2)]}
    )
    frame.write_parquet(tmp_path / "a.parquet")
    sheet = read_sheet(tmp_path / "a.parquet")
    assert sheet.frame.columns == ["prompt_id", "day"]
    assert sheet.notes == ("a.parquet: column wall (a duration) is left out",)


def test_values_without_names_get_some_to_be_mapped(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([list(row) for row in FRAME.rows()]))
    sheet = read_sheet(tmp_path / "a.json")
    assert sheet.frame.columns == ["column_1", "column_2", "column_3"]
    assert "--map prompt_id=column_1" in sheet.notes[0]


def test_rows_named_by_their_keys_have_them_as_ids(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"x": RECORDS[0], "y": RECORDS[1]}))
    assert read_sheet(tmp_path / "a.json").frame["id"].to_list() == ["x", "y"]


@pytest.mark.parametrize("rows", [RECORDS, FRAME.to_dict(as_series=False), JSON["pandas split"]])
def test_a_text_beside_the_rows_is_of_all_rows_and_a_number_is_left_out(tmp_path: Path, rows: object) -> None:
    (tmp_path / "b.json").write_text(json.dumps({"model": "tiny", "accuracy": 0.5, "data": rows}))
    sheet = read_sheet(tmp_path / "b.json")
    assert sheet.frame["model"].to_list() == ["tiny", "tiny"]
    assert sheet.frame["count"].to_list() == [1, 2]
    assert sheet.notes == ("b.json: accuracy beside the rows is left out",)


def test_other_line_separators_are_text(tmp_path: Path) -> None:
    text = "one\u2028two\x85three\x0b"
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert read_sheet(tmp_path / "a.jsonl").frame["text"].to_list() == [text]


def test_lines_of_a_long_file_are_counted_over_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.exchange.reading.json_rows._PART_BYTES", 40)
    rows = [{"n": n, "mixed": n if n % 7 else "seven", **({"late": n} if n > 50 else {})} for n in range(99)]
    (tmp_path / "a.jsonl").write_bytes(lines(rows).replace(b"\n", b"\n\n", 1))
    sheet = read_sheet(tmp_path / "a.jsonl")
    assert sheet.frame["n"].to_list() == list(range(99))
    assert sheet.frame["late"].to_list() == [None] * 51 + list(range(51, 99))
    assert sheet.frame["mixed"].to_list()[:3] == ["seven", "1", "2"]
    assert sheet.at(98) == "a.jsonl, row 99 (line 100)"
