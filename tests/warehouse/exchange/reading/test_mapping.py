"""What the user says a column is: names, paths into objects, scorers; and what is wrong with it in one line."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from warehouse.errors import InvalidRows
from warehouse.exchange.reading import read_sheet, read_sheets
from warehouse.exchange.reading.mapping import ColumnMap, parsed

ROWS = [
    {"question_id": f"q{row}", "model": "m", "meta": {"id": row, "tags": ["x", "y"]}, "tiny": row / 2, "length": 9}
    for row in range(2)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_columns_get_the_names_that_are_given(path: Path) -> None:
    sheet = read_sheet(path, parsed("prompt_id=question_id, response_id=model"))
    assert sheet.frame["prompt_id"].to_list() == ["q0", "q1"]
    assert sheet.frame["response_id"].to_list() == ["m", "m"]
    assert not {"question_id", "model"} & set(sheet.frame.columns)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "csv"])
def test_a_path_leads_into_objects_and_lists(path: Path, tmp_path: Path, suffix: str) -> None:
    if suffix == "parquet":
        path = tmp_path / "a.parquet"
        pl.DataFrame(ROWS).write_parquet(path)
    elif suffix == "csv":
        path = tmp_path / "a.csv"
        path.write_text('meta\n"{""id"": 0, ""tags"": [""x"", ""y""]}"\n"{""id"": 1, ""tags"": [""x"", ""y""]}"\n')
    sheet = read_sheet(path, parsed("prompt_id=meta.id,subset=meta.tags.1"))
    assert sheet.texts("prompt_id").to_list() == ["0", "1"]
    assert sheet.texts("subset").to_list() == ["y", "y"]


def test_a_column_may_be_two_things_and_one_with_dots_in_its_name_comes_first(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("meta.id,meta\n7,x\n")
    sheet = read_sheet(tmp_path / "a.csv", parsed("prompt_id=meta.id,response_id=meta.id"))
    assert sheet.frame.row(0, named=True) == {"prompt_id": "7", "response_id": "7", "meta": "x"}


def test_what_is_named_takes_the_place_of_a_column_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt_id,question_id\n1,2\n")
    sheet = read_sheet(tmp_path / "a.csv", parsed("prompt_id=question_id"))
    assert sheet.frame.to_dicts() == [{"prompt_id": "2"}]
    assert sheet.notes == ("a.csv: column prompt_id is left out, since --map says that question_id is it",)


def test_a_column_becomes_a_scorer_by_its_own_name_or_by_the_list(path: Path) -> None:
    sheet = read_sheet(path, parsed("length=length"))
    assert (sheet.scorers, sheet.only_scorers) == (("length",), False)
    sheet = read_sheet(path, parsed(None, "tiny"))
    assert (sheet.scorers, sheet.only_scorers) == (("tiny",), True)


def test_an_index_can_be_a_scorer_or_an_id_if_the_user_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",index,score\n0,0,1\n1,1,2\n")
    sheet = read_sheet(tmp_path / "a.csv", parsed("prompt_id=Unnamed: 0,index=index"))
    assert sheet.frame.columns == ["prompt_id", "index", "score"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("promt_id=question_id", "--map: unknown name 'promt_id'; use one of prompt_id, response_id.*question_id=que"),
        ("prompt_id", "--map: got 'prompt_id'; write NAME=COLUMN, such as prompt_id=question_id"),
        ("prompt_id=a,prompt_id=b", "--map: prompt_id is given twice"),
        ("prompt_id=item", "--map prompt_id=item: no file has column 'item'; the columns are question_id, model, meta"),
        ("prompt_id=meta.key", "a.jsonl, column meta: no row has key in it; check --map prompt_id="),
        ("other=other", "--map other=other: no file has column 'other'"),
    ],
)
def test_a_wrong_map_gets_one_line(path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidRows, match=message) as raised:
        read_sheet(path, parsed(text))
    assert "\n" not in str(raised.value)


def test_a_scorer_that_no_file_has_is_named_by_its_option(path: Path) -> None:
    with pytest.raises(InvalidRows, match=r"--scorers grade: no file has column 'grade'; the columns are"):
        read_sheet(path, parsed(None, "grade"))


def test_files_may_lack_what_others_have(path: Path, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("prompt_id,big\nq0,1\n")
    first, second = read_sheets([path, tmp_path / "b.csv"], parsed("prompt_id=question_id,big=big"))
    assert "prompt_id" in first.frame.columns
    assert second.scorers == ("big",)
    assert read_sheets([path], ColumnMap())[0].frame.columns == list(ROWS[0])
