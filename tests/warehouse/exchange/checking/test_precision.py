"""Scores that differ only beyond 32 bits are not made equal without a word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import Import, tables
from warehouse import exchange
from warehouse.errors import InvalidRows


def test_an_offset_that_hides_the_scores_is_refused_and_the_advice_works(
    tmp_path: Path, data: Path, imported: Import
) -> None:
    frame = files.long_frame().with_columns(score=1234567 + pl.col("score") / 100)
    with pytest.raises(
        InvalidRows, match=r"a\.csv, row 1 \(line 2\), column score: .* 'big' .*; subtract 1234570 from"
    ):
        imported(files.write(frame, tmp_path / "a.csv"))
    imported(files.write(frame.with_columns(pl.col("score") - 1234570), tmp_path / "b.csv"))
    stored = tables(data)["score"].with_columns(prompt=pl.col("response_id").str.split("|").list.get(1))
    distinct = stored.filter(pl.col("prompt").str.ends_with("#rm")).group_by("reward_model_id", "prompt")
    given = files.long_frame().group_by("reward_model", "prompt_id")
    assert (
        distinct.agg(pl.col("score").n_unique())["score"].sum() == given.agg(pl.col("score").n_unique())["score"].sum()
    )


def test_a_few_are_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(200, 4)).round(3)
    scores[7, 1] = scores[7, 2] + 1e-10
    rows = [
        {"prompt_id": f"p{p}", "response_id": f"r{r}", "one": scores[p, r], "two": -scores[p, r].round(1)}
        for p in range(200)
        for r in range(4)
    ]
    sheets, pieces = exchange.read_files([files.write(pl.DataFrame(rows), tmp_path / "a.csv")])
    assert exchange.study_of(sheets, pieces).notes == (
        "scores that equal others of their prompt in 32 bits, and differ in the file: 1 of one",
    )


def test_the_rounding_of_64_bits_is_no_difference(tmp_path: Path) -> None:
    frame = files.long_frame().with_columns(score=pl.when(pl.col("response_id") == "r0").then(0.1 + 0.2).otherwise(0.3))
    assert 0.1 + 0.2 != 0.3
    sheets, pieces = exchange.read_files([files.write(frame, tmp_path / "a.csv")])
    assert exchange.study_of(sheets, pieces).notes == ()
