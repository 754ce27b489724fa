"""CSV files of ours run nothing in a spreadsheet, and are the same again when they are imported."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from app.charts import export
from warehouse.exchange.reading import read_sheet
from warehouse.spreadsheets import neutral, restored

FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")', "- a list", "'=1", "''+x")
PLAIN = ("accuracy", "", "a=b", "'quoted'", " =1", "-0.5", "+3", "-1e-05", "−0.5", "x\n=1")


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(cell: str) -> None:
    assert neutral(pl.DataFrame({"a": [cell]}))["a"].to_list() == [f"'{cell}"]


@pytest.mark.parametrize("cell", PLAIN)
def test_numbers_and_plain_texts_stay(cell: str) -> None:
    assert neutral(pl.DataFrame({"a": [cell]}))["a"].to_list() == [cell]


def test_columns_of_numbers_and_nothing_stay_and_names_of_columns_do_not() -> None:
    frame = pl.DataFrame({"n": [-1.5, None], "=cmd": ["a", None], "kind": ["-x", "b"]})
    shown = neutral(frame.with_columns(pl.col("kind").cast(pl.Categorical)))
    assert shown.columns == ["n", "'=cmd", "kind"]
    assert shown["n"].to_list() == [-1.5, None]
    assert shown["kind"].to_list() == ["'-x", "b"]


def test_what_was_written_is_read_again_as_it_was(tmp_path: Path) -> None:
    cells = [*FORMULAS, *PLAIN]
    frame = pl.DataFrame({"text": cells, "=name": cells, "score": [-0.5] * len(cells)})
    assert restored(neutral(frame)).equals(frame)
    neutral(frame).write_csv(tmp_path / "out.csv")
    again = read_sheet(tmp_path / "out.csv").frame
    assert again.columns == frame.columns
    assert again["text"].to_list() == cells
    assert again["score"].cast(pl.Float64()).to_list() == frame["score"].to_list()


@pytest.mark.parametrize(("written", "read"), [("'=1", "=1"), ("''=1", "'=1"), ("'a", "'a"), ("=1", "=1")])
def test_a_csv_file_of_somebody_else_loses_one_apostrophe_and_other_files_none(
    tmp_path: Path, written: str, read: str
) -> None:
    """What docs/import.md says; and what was read stays the same from then on."""
    frame = pl.DataFrame({"text": [written], "score": [1.5]})
    frame.write_csv(tmp_path / "theirs.csv")
    frame.write_ndjson(tmp_path / "theirs.jsonl")
    frame.write_parquet(tmp_path / "theirs.parquet")
    assert read_sheet(tmp_path / "theirs.csv").frame["text"].to_list() == [read]
    assert read_sheet(tmp_path / "theirs.jsonl").frame["text"].to_list() == [written]
    assert read_sheet(tmp_path / "theirs.parquet").frame["text"].to_list() == [written]
    neutral(pl.DataFrame({"text": [read]})).write_csv(tmp_path / "again.csv")
    assert read_sheet(tmp_path / "again.csv").frame["text"].to_list() == [read]


def test_the_table_of_a_figure_runs_nothing() -> None:
    table = pl.DataFrame({"reward_model": ["=cmd|' /C calc'!A0", "plain"], "tau": [-0.25, 0.5]})
    written = export.csv(table, {"run": "@run"}).decode().splitlines()
    assert written == ["run,reward_model,tau", "'@run,'=cmd|' /C calc'!A0,-0.25", "'@run,plain,0.5"]


def test_no_csv_is_written_another_way() -> None:
    root = Path(__file__).parents[2]
    for room in ("app", "pipeline", "warehouse"):
        for file in (root / room).rglob("*.py"):
            for line in file.read_text(encoding="utf-8").splitlines():
                if "write_csv(" in line:
                    assert re.search(r"neutral\(.*\)\.write_csv\(", line), f"{file}: {line.strip()}"
