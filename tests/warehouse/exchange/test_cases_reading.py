"""Cases of `../shared/cases`, if present: files of every kind, index columns, columns that are no scorers, and ids."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.data_sets.gather import gather
from pipeline.runs.exchange import Imported, import_files
from tests.warehouse.exchange.conftest import tables
from warehouse.errors import InvalidRows

CASES = Path(__file__).parents[3].parent / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not in {CASES}")

INDEX = {"16": "__index_level_0__", "17": "Unnamed: 0", "17b": "Unnamed: 0"}
WHOLE = [
    *("19-*/wide.csv", "19-*/plain-semicolon.csv", "19-*/bom-comma.csv", "19-*/utf16.csv"),
    *(f"20-*/long.{suffix}" for suffix in ("csv", "csv.gz", "jsonl.gz", "tsv", "arrow", "feather")),
    *(f"25-*/{name}" for name in ("nested.jsonl", "nested2.jsonl", "strings.jsonl", "huge.jsonl", "float32.parquet")),
    *(f"34-*/{name}.json" for name in ("hf-datasets-to_json-lines", "wrapped-data", "wrapped-results")),
    *(f"34-*/pandas-{orient}.json" for orient in ("default-columns", "records", "split", "table")),
    *("34-*/array.jsonl", "26-*/hash.jsonl", "26-*/texts-no-ids.jsonl"),
    *(f"35-*/{name}.parquet" for name in ("category", "decimal", "float16", "pivot-index-not-reset", "pivot-reset")),
    *("35-*/pivot.csv", "35-*/shuffled-index-kept.parquet"),
]
SMALL = ("19-*/plain-semicolon.csv", "19-*/bom-comma.csv", "19-*/utf16.csv")


def imported(data: Path, *patterns: str) -> Imported:
    paths = [path for pattern in patterns for path in sorted(CASES.glob(pattern))]
    assert len(paths) == len(patterns)
    return import_files(data, paths, "theirs", "auto")


def scores(data: Path) -> pl.DataFrame:
    """The scores on the RM-test side, by reward model and response."""
    frame = tables(data)["score"].filter(pl.col("response_id").str.contains("#rm|", literal=True))
    return frame.select("reward_model_id", "response_id", "score").sort("reward_model_id", "response_id")


@pytest.mark.parametrize("pattern", WHOLE)
def test_every_container_and_shape_is_read(data: Path, pattern: str) -> None:
    imported(data, pattern)
    models = ["big", "tiny"] if pattern in SMALL else ["big", "mid", "tiny"]
    assert tables(data)["reward_model"]["reward_model_id"].to_list() == models
    assert scores(data).height == len(models) * (4 if pattern in SMALL else 32)


def test_the_same_scores_come_out_of_every_container(data: Path, tmp_path: Path) -> None:
    imported(data, "20-*/long.csv")
    for number, pattern in enumerate(
        ("19-*/wide.csv", "25-*/nested2.jsonl", "34-*/pandas-split.json", "20-*/long.tsv")
    ):
        imported(tmp_path / str(number), pattern)
        assert scores(tmp_path / str(number)).equals(scores(data)), pattern


@pytest.mark.parametrize("case", INDEX)
def test_the_index_of_pandas_is_no_reward_model(data: Path, case: str) -> None:
    notes = imported(data, f"{case}-*/wide.*").notes
    assert tables(data)["reward_model"]["reward_model_id"].to_list() == ["big", "mid", "tiny"]
    assert any(f"column {INDEX[case]} (pandas' index) is left out" in note for note in notes)


@pytest.mark.parametrize(("pattern", "column"), [("18b-*/wide.csv", "generator"), ("18c-*/long.jsonl", "tokens")])
def test_columns_that_are_no_scores_are_left_out_and_said(data: Path, pattern: str, column: str) -> None:
    notes = imported(data, pattern).notes
    assert tables(data)["reward_model"]["reward_model_id"].to_list() == ["big", "mid", "tiny"]
    assert any("left out" in note and column in note for note in notes)


def test_scores_that_only_64_bits_tell_apart_are_refused(data: Path) -> None:
    with pytest.raises(InvalidRows, match=r"differ from others of their prompt only beyond the 32 bits.*subtract"):
        imported(data, "25-*/offset.jsonl")


def test_an_id_is_the_same_with_and_without_decimals(data: Path) -> None:
    notes = imported(data, "26-*/a.jsonl", "26-*/b.csv").notes
    assert tables(data)["reward_model"]["reward_model_id"].to_list() == ["mid", "tiny"]
    assert sum("written like 1.0 are read as 1" in note for note in notes) == 1


PAIRS = ["d27-*/data.arrow", "d27-*/data.tsv", "d27-*/index.csv", "d27-*/semicolon.csv", "d27-*/data.jsonl.gz"]


@pytest.mark.parametrize("pattern", [*PAIRS, "d29-*/data.jsonl", "d31-*/data.jsonl", "d33-*/data.json"])
def test_preferences_of_every_container_are_read(pattern: str) -> None:
    (path,) = CASES.glob(pattern)
    assert gather([str(path)]).pairs.height >= 7


def test_other_line_separators_stay_in_the_text() -> None:
    (path,) = CASES.glob("d29-*/data.jsonl")
    assert gather([str(path)]).pairs["chosen"].str.contains("\u2028next\x85more").all()
