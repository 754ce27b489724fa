"""Own categories and subsets stay as they are; prompts without a category go under Other."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import Import, tables


def stored(data: Path) -> list[tuple[str, str, str]]:
    prompts = tables(data)["prompt"].filter(split="rm_test")
    return prompts.select(pl.col("prompt_id").str.head(2), "category", "subset").rows()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"category": ["STEM", "Coding", None, "Chat"]}, ["STEM STEM", "Coding Coding", "Other unsorted", "Chat Chat"]),
        (
            {"subset": ["mmlu-law", "hep-go", None, "Focus"]},
            ["Other mmlu-law", "Reasoning hep-go", "Other unsorted", "Other Focus"],
        ),
        (
            {"category": ["A b", None, None, "A b"], "subset": ["x", "x", "hep-go", None]},
            ["A b x", "Other x", "Reasoning hep-go", "A b A b"],
        ),
        ({}, ["Chat unsorted"] * 4),
    ],
)
def test_categories_are_kept(
    tmp_path: Path, data: Path, imported: Import, columns: dict[str, list[str | None]], expected: list[str]
) -> None:
    frame = files.long_frame()
    for name, values in columns.items():
        frame = frame.join(pl.DataFrame({"prompt_id": ["p0", "p1", "p2", "p3"], name: values}), on="prompt_id")
    imported(files.write(frame, tmp_path / "scores.csv"))
    assert [" ".join(row[1:]) for row in stored(data)] == expected
