"""Columns keep their type: numbers, texts, lists and objects; pandas' index is left out, and said; ids are whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from warehouse.errors import InvalidRows
from warehouse.exchange.reading import read_sheet
from warehouse.exchange.sheet import Sheet

MESSAGES = [{"role": "user", "content": "Two?"}, {"role": "assistant", "content": "2"}]
SCORES = {"small": 0.5, "large": 2.0}


def sheet_of(folder: Path, column: list[Any]) -> Sheet:
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps({"cell": cell}) + "\n" for cell in column))
    return read_sheet(path)


@pytest.mark.parametrize("suffix", ["jsonl", "json", "parquet", "arrow"])
def test_lists_and_objects_stay_what_they_are(tmp_path: Path, suffix: str) -> None:
    rows = [{"messages": MESSAGES, "scores": SCORES, "ranks": [1, 2]} for _ in range(2)]
    path = tmp_path / f"a.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif suffix == "json":
        path.write_text(json.dumps(rows))
    elif suffix == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        pl.DataFrame(rows).write_ipc(path)
    sheet = read_sheet(path)
    assert sheet.values("messages") == [MESSAGES, MESSAGES]
    assert sheet.values("scores") == [SCORES, SCORES]
    assert sheet.lists("ranks") == [[1, 2], [1, 2]]
    assert sheet.lists("scores") == [[0.5, 2.0], [0.5, 2.0]]
    with pytest.raises(InvalidRows, match=r"row 1.*, column messages: got \[\{'role'.*; wanted a text or a number"):
        sheet.texts("messages")


@pytest.mark.parametrize(
    ("column", "dtype", "values"),
    [
        ([1, None, 3], pl.Int64(), [1, None, 3]),
        ([1, 2.5], pl.Float64(), [1.0, 2.5]),
        ([True, False], pl.Boolean(), [True, False]),
        (["a", 42], pl.String(), ["a", "42"]),
        ([10**30, 1], pl.String(), [str(10**30), "1"]),
        ([None, None], pl.String(), [None, None]),
        (["a", ["b"]], pl.Object(), ["a", ["b"]]),
        ([{"x": 1}, {"y": [2]}], pl.Object(), [{"x": 1}, {"y": [2]}]),
    ],
)
def test_a_column_of_json_has_the_narrowest_type_that_loses_nothing(
    tmp_path: Path, column: list[Any], dtype: pl.DataType, values: list[Any]
) -> None:
    sheet = sheet_of(tmp_path, column)
    assert sheet.frame["cell"].dtype == dtype
    assert sheet.values("cell") == values


def test_half_a_character_within_a_list_is_named_with_its_row(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"cell": ["a"]}\n{"cell": ["\\ud800"]}\n')
    with pytest.raises(InvalidRows, match=r"a.jsonl, row 2 \(line 2\), column cell: half a character \(U\+D800\)"):
        read_sheet(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    "column", [[-1.5, 2], ["-1.5", " 2 "], [[-1.5], [2]], [[[-1.5]], [[2]]], ["[-1.5]", "[[2]]"], [["-1.5"], ["2"]]]
)
def test_a_score_may_be_text_or_in_brackets(tmp_path: Path, column: list[Any]) -> None:
    assert sheet_of(tmp_path, column).scores("cell").to_list() == [-1.5, 2.0]
    assert sheet_of(tmp_path, column).numbers("cell").to_list() == [-1.5, 2.0]


def test_scores_that_are_missing_or_wrong(tmp_path: Path) -> None:
    assert sheet_of(tmp_path, [1.0, None, [2.0]]).scores("cell").to_list() == [1.0, None, 2.0]
    assert sheet_of(tmp_path, ["1", "", "NaN"]).scores("cell").to_list() == [1.0, None, None]
    assert sheet_of(tmp_path, [True, False]).scores("cell").to_list() == [1.0, 0.0]  # a verifier's
    for column, message in (
        ([[1.0], [2.0, 3.0]], r"row 2 \(line 2\), column cell: got \[2.0, 3.0\]; wanted a number"),
        (["1", "good"], r"row 2 \(line 2\), column cell: got 'good'; wanted a number"),
        ([1, 2**60 + 1], r"row 2 .*: got 1152921504606846977; floats make integers as large as this equal: subtract"),
        ([[1], [2**60 + 1]], r"row 2 .*: got \[1152921504606846977\]; floats make"),
        ([1, 10**30], r"row 2 .*: got '1000000000000000000000000000000'; floats make"),
    ):
        with pytest.raises(InvalidRows, match=message):
            sheet_of(tmp_path, column).scores("cell")


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint64", "category"])
def test_numbers_of_every_type_of_parquet_are_scores(tmp_path: Path, dtype: str) -> None:
    pd.DataFrame({"score": pd.Series([1, 2, 1]).astype(dtype)}).to_parquet(tmp_path / "a.parquet")
    assert read_sheet(tmp_path / "a.parquet").scores("score").to_list() == [1.0, 2.0, 1.0]


def test_decimals_are_scores_and_bytes_are_left_out(tmp_path: Path) -> None:
    scores = pl.Series(["1.25", "-2"]).cast(pl.Decimal(12, 4))
    pl.DataFrame({"score": scores, "image": [b"\xff", b"\x00"]}).write_parquet(tmp_path / "a.parquet")
    sheet = read_sheet(tmp_path / "a.parquet")
    assert sheet.scores("score").to_list() == [1.25, -2.0]
    assert sheet.notes == ("a.parquet: column image (bytes) is left out",)


FRAME = pd.DataFrame({"prompt_id": ["a", "b", "c"], "score": [1.0, 2.0, 3.0]})


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("a.csv", "Unnamed: 0"),
        ("again.csv", "Unnamed: 0"),
        ("a.parquet", "__index_level_0__"),
        ("a.json", "index"),
        ("reset.csv", "index"),
    ],
)
def test_the_index_of_pandas_is_left_out_and_said(tmp_path: Path, name: str, column: str) -> None:
    path = tmp_path / name
    if name == "a.csv":
        FRAME.to_csv(path)
    elif name == "again.csv":
        FRAME.to_csv(tmp_path / "b.csv")
        pd.read_csv(tmp_path / "b.csv").to_csv(path, index=False)
    elif name == "a.parquet":
        FRAME.iloc[[1, 0, 2]].to_parquet(path)
    elif name == "a.json":
        FRAME.to_json(path, orient="table")
    else:
        FRAME.reset_index().to_csv(path, index=False)
    sheet = read_sheet(path)
    assert sheet.frame.columns == ["prompt_id", "score"]
    assert sheet.notes == (f"{name}: column {column} (pandas' index) is left out",)


def test_an_index_with_names_and_a_column_index_of_other_numbers_are_data(tmp_path: Path) -> None:
    FRAME.set_index("prompt_id").to_parquet(tmp_path / "a.parquet")
    assert sorted(read_sheet(tmp_path / "a.parquet").frame.columns) == ["prompt_id", "score"]
    FRAME.assign(index=[7, 7, 9]).to_csv(tmp_path / "a.csv", index=False)
    assert read_sheet(tmp_path / "a.csv").frame["index"].to_list() == ["7", "7", "9"]


@pytest.mark.parametrize("ids", [["1.0", "2.0"], [1.0, 2.0], ["1.0", None]])
def test_whole_ids_are_integers_however_they_are_written(tmp_path: Path, ids: list[Any]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"prompt_id": cell, "text": "4.0"}) + "\n" for cell in ids))
    sheet = read_sheet(path)
    assert sheet.texts("prompt_id")[0] == "1"
    assert sheet.texts("text")[0] == "4.0"
    assert sheet.notes == ("a.jsonl: whole numbers in prompt_id that are written like 1.0 are read as 1",)


@pytest.mark.parametrize("ids", [["1.0", "2.5"], ["1.0", "v2.0"], [1, 2], ["1", "2"]])
def test_other_ids_stay_as_they_are(tmp_path: Path, ids: list[Any]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"prompt_id": cell}) + "\n" for cell in ids))
    sheet = read_sheet(path)
    assert sheet.texts("prompt_id").to_list() == [str(cell) for cell in ids]
    assert sheet.notes == ()


def test_a_decimal_comma_is_one_only_where_the_whole_column_has_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id;text;score;odd\n1;3,14;1,5;1,5\n2;pi;2;1.5\n")
    sheet = read_sheet(tmp_path / "a.csv")
    assert sheet.scores("score").to_list() == [1.5, 2.0]
    assert sheet.texts("text").to_list() == ["3,14", "pi"]
    assert sheet.notes == ("a.csv: numbers in score have decimal commas",)
    with pytest.raises(InvalidRows, match=r"row 1 \(line 2\), column odd: got '1,5'"):
        sheet.scores("odd")
