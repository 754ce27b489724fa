"""Rows are checked before anything is written; publishing twice changes nothing."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.warehouse.rows import tiny_run
from warehouse import ingest, reads, store
from warehouse.errors import InvalidRows
from warehouse.schema import TABLES


def contents(data: Path) -> dict[str, list[tuple]]:
    with store.open_read_only(data) as connection:
        return {name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=str) for name in TABLES}


def test_publishing_twice_writes_no_row_twice(tmp_path: Path) -> None:
    counts = ingest.publish(tmp_path, tiny_run(), "test")
    once = contents(tmp_path)
    assert counts["score"] == 12
    assert ingest.publish(tmp_path, tiny_run(), "test") == counts
    assert contents(tmp_path) == once


def test_a_run_published_again_replaces_its_rows_and_no_others(tmp_path: Path) -> None:
    ingest.publish(tmp_path, tiny_run("a"), "test")
    ingest.publish(tmp_path, tiny_run("b"), "test")
    ingest.publish(tmp_path, tiny_run("a", score=2.0), "test")
    with store.open_read_only(tmp_path) as connection:
        assert reads.scores.score_cube(connection, "a").scores_MPR[0].tolist() == [[0.0, 2.0, 4.0]]
        assert reads.scores.score_cube(connection, "b").scores_MPR[0].tolist() == [[0.0, 1.0, 2.0]]


def broken(table: str, change: pl.Expr | list[pl.Expr]) -> dict[str, pl.DataFrame]:
    rows = tiny_run()
    return {**rows, table: rows[table].with_columns(change)}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (broken("score", pl.lit(float("nan")).alias("score")), "table score, column score, row 0: got nan"),
        (broken("score", pl.lit(float("inf")).alias("score")), "got inf"),
        (broken("score", pl.lit(None).alias("score")), "got None"),
        (broken("score", pl.lit("much").alias("score")), "table score"),
        (broken("score", pl.lit("nobody").alias("reward_model_id")), "twice|not in reward_model"),
        (broken("score", pl.lit("initial|chat/1|0").alias("response_id")), "is there twice"),
        (broken("response", pl.lit("chat/9").alias("prompt_id")), "prompt_id 'chat/9' is not in prompt.prompt_id"),
        (broken("prompt", pl.lit("rm_tset").alias("split")), "got 'rm_tset', wanted one of"),
        (broken("prompt", pl.lit(1).alias("extra")), r"unknown columns \['extra'\]"),
        ({**tiny_run(), "prompt": tiny_run()["prompt"].drop("text")}, r"missing columns \['text'\]"),
        ({**tiny_run(), "nonsense": pl.DataFrame()}, r"unknown tables \['nonsense'\]"),
        ({}, "table run is empty"),
        (broken("run", pl.lit("other").alias("run_id")), "is not in table run"),
    ],
)
def test_invalid_rows_are_named_and_nothing_is_written(tmp_path: Path, rows: dict, message: str) -> None:
    with pytest.raises(InvalidRows, match=message):
        ingest.publish(tmp_path, rows, "some file")
    assert store.build_id(tmp_path) is None
    assert not list(tmp_path.glob("*warehouse*"))


def test_a_table_may_come_in_parts(tmp_path: Path) -> None:
    ingest.publish(tmp_path / "whole", tiny_run(), "test")
    rows = tiny_run()
    parts = (rows["score"][start : start + 5] for start in range(0, 12, 5))
    assert ingest.publish(tmp_path / "parts", {**rows, "score": parts}, "test")["score"] == 12
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_a_row_that_two_parts_have_is_named(tmp_path: Path) -> None:
    rows = tiny_run()
    with pytest.raises(InvalidRows, match=r"table score: .*initial\|chat/1\|0.* is there twice"):
        ingest.publish(tmp_path, {**rows, "score": iter([rows["score"], rows["score"][:1]])}, "test")
    assert store.build_id(tmp_path) is None
