"""Own categories and subsets stay as they are; prompts without a category go under Other."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from pipeline.__main__ import main
from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import Import, tables
from warehouse.schema import category_order


def stored(data: Path) -> list[tuple[str, str, str]]:
    prompts = tables(data)["prompt"].filter(split="rm_test")
    return prompts.select(pl.col("prompt_id").str.head(2), "category", "subset").rows()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {"category": ["STEM", "Coding ", None, "Chat"]},
            ["STEM STEM", "Coding Coding", "Other unsorted", "Chat Chat"],
        ),
        (
            {"subset": ["mmlu-law", "hep-go", " ", "Focus"]},
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


def test_own_categories_and_subsets_can_be_chosen(
    tmp_path: Path, data: Path, imported: Import, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"p0": "Own Thing", "p1": "Own Thing", "p2": None, "p3": "Chat"}
    frame = files.long_frame().with_columns(category=pl.col("prompt_id").replace_strict(names))
    imported(files.write(frame.with_columns(subset=pl.lit("mine")), tmp_path / "scores.csv"))
    monkeypatch.setenv("RIGHTTREE_HOME", str(data))
    for choice in (["--category", "own-thing"], ["--category", "Own Thing"], ["--subset", "mine"]):
        assert main(["measure", *choice, "--replicates", "20", "--json"]) == 0
        prompts = 4 if choice[0] == "--subset" else 2
        assert json.loads(capsys.readouterr().out)["rm_test_prompts"] == prompts
    assert main(["measure", "--category", "Safety"]) == 2
    assert "no category 'Safety'; there are Chat, Own Thing, Other and all" in capsys.readouterr().err


def test_categories_of_a_run_are_in_order() -> None:
    assert category_order(["Other", "a", "Safety", "Zoo", "Chat", "a"]) == ("Chat", "Safety", "Zoo", "a", "Other")
