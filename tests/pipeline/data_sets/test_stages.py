"""A run whose prompts and pairs come from files: the stages that take them in, on a real run directory."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest

from pipeline import runs
from pipeline.config import Config, load_profile, validated
from pipeline.context import Context
from pipeline.data_sets.conversations import first_user_turn
from pipeline.errors import InvalidConfig, InvalidDataSet
from pipeline.prompts import load_prompts
from pipeline.runs.progress import Progress
from pipeline.stages import STAGES, preferences, prompts, train_responses
from tests.pipeline.data_sets import hub

SUBSETS = {"Chat": "alpacaeval-easy", "Safety": "xstest-should-refuse", "Reasoning": "hep-go"}


def benchmark(path: Path, count: int = 32) -> Path:
    """`count` RewardBench rows of each of three categories, each prompt twice."""
    rows = [
        hub.REWARDBENCH[0] | {"prompt": f"{subset} {number // 2} ", "chosen": f"good {number}", "subset": subset}
        for number in range(2 * count)
        for subset in SUBSETS.values()
    ]
    return hub.parquet(path, rows)


def training_set(path: Path, *more: str) -> Path:
    chosen = [{"prompt": f"train {number}", "chosen": "yes", "rejected": "no"} for number in range(60)]
    return hub.jsonl(path, chosen + [{"prompt": prompt, "chosen": "yes", "rejected": "no"} for prompt in more])


def config(prompt_files: list[Path], pair_files: list[Path]) -> Config:
    settings = load_profile("smoke").model_dump()
    settings["prompts"] |= {"files": [str(path) for path in prompt_files], "categories": list(SUBSETS)}
    settings["preferences"] |= {"files": [str(path) for path in pair_files]}
    return validated(settings, "test")


def begun(data: Path, settings: Config, log: io.StringIO) -> Context:
    run = runs.create(data, settings, "one")
    return Context(run, Progress(run, list(STAGES), log))


def work(context: Context, stage: str, module: object) -> None:
    context.progress.begin(stage)
    module.run(context)  # type: ignore[attr-defined]
    context.progress.end()


def test_prompts_and_pairs_of_files_become_the_runs(tmp_path: Path) -> None:
    tested = [f"{subset} {number}" for subset in SUBSETS.values() for number in range(32)]
    settings = config([benchmark(tmp_path / "rb.parquet")], [training_set(tmp_path / "own.jsonl", *tested)])
    log = io.StringIO()
    context = begun(tmp_path, settings, log)
    work(context, "prompts", prompts)
    there = context.run.read("prompt")
    by_split = dict(there.group_by("split").len().iter_rows())
    wanted = settings.prompts
    assert by_split == {
        "rm_train": 3 * wanted.rm_train_per_category,
        "rm_test": 3 * wanted.rm_test_per_category,
        "rl_test": 3 * wanted.rl_test_per_category,
    }
    assert there["text"].is_unique().all()
    assert set(there["text"]) <= set(tested)
    assert set(there["source"]) == {"rewardbench"}
    assert dict(there.select("subset", "category").unique().iter_rows()) == {s: c for c, s in SUBSETS.items()}
    assert dict(there.select("category", "refuse").unique().iter_rows()) == {
        "Chat": None,
        "Safety": True,
        "Reasoning": None,
    }
    work(context, "train_responses", train_responses)
    assert context.run.read("response").is_empty()
    work(context, "preferences", preferences)
    pairs = context.run.read("preference")
    on_tests = {first_user_turn(text) for text in there.filter(pl.col("split") != "rm_train")["text"]}
    assert not on_tests & {first_user_turn(prompt) for prompt in pairs["prompt"]}
    assert pairs.height == 60 + len(tested) - len(on_tests)
    assert f"ignored {len(on_tests)} pairs on test prompts of this run" in log.getvalue()
    assert set(pairs["split"]) == {"train", "validation"}
    assert set(pairs.filter(split="train")["prompt"]).isdisjoint(pairs.filter(split="validation")["prompt"])
    assert set(pairs["source"]) == {"own"}


def test_a_run_of_our_own_prompts_can_have_pairs_of_files(tmp_path: Path) -> None:
    context = begun(tmp_path, config([], [training_set(tmp_path / "own.jsonl")]), io.StringIO())
    work(context, "prompts", prompts)
    assert set(context.run.read("prompt")["text"]) <= set(load_prompts()["text"])
    work(context, "preferences", preferences)
    assert context.run.read("preference").height == 60


def test_prompts_without_a_category_are_left_out_and_said(tmp_path: Path) -> None:
    other = hub.jsonl(tmp_path / "other.jsonl", hub.HH_RLHF)
    log = io.StringIO()
    context = begun(tmp_path, config([benchmark(tmp_path / "rb.parquet"), other], []), log)
    work(context, "prompts", prompts)
    assert "ignored 1 prompts of the profile's files that have no category" in log.getvalue()


def test_too_few_prompts_or_pairs_get_a_line(tmp_path: Path) -> None:
    few = config([benchmark(tmp_path / "rb.parquet", 4)], [hub.jsonl(tmp_path / "own.jsonl", hub.OWN[:1])])
    context = begun(tmp_path, few, io.StringIO())
    context.progress.begin("prompts")
    with pytest.raises(InvalidConfig, match="rm_train_per_category is 6; Chat has 3 rm_train prompts: lower"):
        prompts.run(context)
    with pytest.raises(InvalidDataSet, match="files: got pairs"):
        preferences.run(context)
