"""`righttree import --check` says what files would be read as and what would be left out, and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.__main__ import main
from tests.warehouse.exchange import files


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def ragged(tmp_path: Path) -> Path:
    """Three prompts, one with a response of its own alone and one with a score that is missing; `big` ties often."""
    number = pl.col("response_id").str.tail(1).cast(pl.Int64())
    frame = files.long_frame(prompts=4, responses=4).with_columns(
        score=pl.when(reward_model="big").then(number // 2).otherwise("score"),
        category=pl.col("prompt_id").replace_strict({"p0": "Own", "p1": "Chat", "p2": "Chat", "p3": None}),
    )
    row = pl.int_range(pl.len())
    frame = frame.filter((pl.col("prompt_id") != "p3") | (pl.col("response_id") == "r0"))
    return files.write(frame.with_columns(score=pl.when(row != 4).then("score")), tmp_path / "scores.csv")


def checked(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main(["import", "--check", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_everything_is_said_and_nothing_is_written(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ragged(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    text = checked(capsys, path, "--golden", "mid")
    assert sorted(tmp_path.rglob("*")) == before
    assert text.startswith("scores.csv: ")
    assert "columns: prompt_id, response_id, reward_model, score, category" in text
    assert "  big    proxy only, import, ties in 33% of the pairs" in text
    assert "  mid    golden only, import, ties in " in text
    assert "3 prompts (no split: all serve both sides)" in text
    assert "11 responses: 1 prompt with 3, 2 prompts with 4" in text
    assert "categories: Chat (2), Own (1)" in text
    assert "would be left out: 1 response without all scores (1 empty or not a number; all of mid); 1 prompt" in text


def test_json_has_the_same_in_public_names(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    described: dict[str, Any] = json.loads(checked(capsys, ragged(tmp_path), "--json"))
    assert not home.exists()
    (file,) = described["files"]
    assert (file["name"], file["rows"]) == ("scores.csv", 39)
    assert [(scorer["name"], scorer["role"]) for scorer in described["scorers"]] == [
        (name, "golden and proxy") for name in files.MODELS
    ]
    assert described["scorers"][0]["ties"] == pytest.approx((1 + 2 + 2) / (3 + 6 + 6))
    assert described["responses_per_prompt"] == {"3": 1, "4": 2}
    assert described["categories"] == {"Chat": 2, "Own": 1}
    assert described["left_out"]["reasons"] == {"empty or not a number": 1, "the only response to its prompt": 1}
    assert (described["prompts"], described["responses"], described["scores"]) == (3, 11, 33)


def test_what_a_check_says_is_what_an_import_does(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ragged(tmp_path)
    described = json.loads(checked(capsys, path, "--json", "--incomplete", "drop-model"))
    assert main(["import", str(path), "--json", "--incomplete", "drop-model"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["rows"]["score"] == 2 * described["scores"]
    assert done["rows"]["reward_model"] == len(described["scorers"]) == 2
    assert any(described["left_out"]["line"] in line for line in done["lines"])


def test_files_that_make_no_study_are_described_before_the_reason(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = files.write(files.long_frame(models=("alone",)), tmp_path / "scores.csv")
    assert main(["import", "--check", str(path)]) == 2
    printed = capsys.readouterr()
    assert "columns: prompt_id, response_id, reward_model, score" in printed.out
    assert "got only ['alone']" in printed.err
    assert main(["import", "--check", str(tmp_path)]) == 2
    assert "an exported run is checked as it is imported" in capsys.readouterr().err
