"""Reward models named by their files: what tools add is taken off, folders tell files of one name apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse.exchange.layouts.source import cleaned, display_names, model_names


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("mild-8b.json", "mild-8b"),
        ("mild-3.1-8b.jsonl.gz", "mild-3.1-8b"),
        ("mild_outputs.jsonl", "mild"),
        ("mild_all.jsonl", "mild"),
        ("mild_result.json", "mild"),
        ("chat_filtered_mild_REWORD_MODEL_20250101_000000.json", "mild"),
        ("total_dataset_mild.json", "mild"),
        ("dataset=judgebench,response_model=x,judge_name=reward_model,judge_model=mild.jsonl", "mild"),
        ("_all.jsonl", "_all"),
        ("scores.csv", "scores"),
    ],
)
def test_a_files_name_is_that_of_its_reward_model(name: str, model: str) -> None:
    assert cleaned(name) == model


def test_files_of_one_name_are_named_by_their_folders() -> None:
    paths = [Path("one/generated_predictions.jsonl"), Path("two/generated_predictions.jsonl"), Path("stern.json")]
    assert model_names(paths) == ["one", "two", "stern"]
    assert display_names(paths)[0] == "one/generated_predictions.jsonl"


def test_a_name_that_says_something_stays_behind_its_folder() -> None:
    assert model_names([Path("lab/mild.json"), Path("den/mild.json")]) == ["lab/mild", "den/mild"]


def test_as_many_folders_as_tell_them_apart() -> None:
    paths = [Path("one/eval/results.json"), Path("two/eval/results.json")]
    assert model_names(paths) == ["one/eval", "two/eval"]


def test_parts_of_a_benchmark_are_of_one_reward_model() -> None:
    paths = [
        Path(f"{part}_filtered_mild_REWORD_MODEL_20250101_00000{n}.json") for n, part in enumerate(("chat", "code"))
    ]
    assert model_names(paths) == ["mild", "mild"]
