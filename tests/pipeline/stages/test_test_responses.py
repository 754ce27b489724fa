"""Which RL-test prompts get many samples, and that what is additional is planned in batches of its own."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline import runs
from pipeline.config import Config
from pipeline.config import TestSettings as Settings
from pipeline.context import Context
from pipeline.prompts import load_prompts
from pipeline.stages import test_responses
from pipeline.stages.prompts import choose
from pipeline.stages.test_responses import prompts_with_many
from tests.pipeline.stages.test_best_of_n import Quiet
from warehouse.schema import CATEGORIES

COUNTS = {"rm_train": 4, "rm_test": 3, "rl_test": 12}
PROMPTS = choose(load_prompts(), CATEGORIES, COUNTS)


def test_many_samples_are_of_the_first_prompts_of_a_category_evenly_from_its_subsets() -> None:
    assert prompts_with_many(PROMPTS, Settings(rl_test_samples=8)) == frozenset()
    few, more = (
        prompts_with_many(PROMPTS, Settings(rl_test_samples=8, many_samples=32, many_prompts_per_category=count))
        for count in (6, 8)
    )
    chosen = PROMPTS.filter(pl.col("prompt_id").is_in(list(few)))
    assert set(chosen["split"]) == {"rl_test"}
    assert chosen.group_by("category").agg(pl.len(), pl.col("subset").n_unique())["len"].to_list() == [6] * 4
    assert chosen.group_by("category").agg(pl.col("subset").n_unique())["subset"].to_list() == [6] * 4
    assert few < more
    assert len(more) == 4 * 8
    large = choose(load_prompts(), CATEGORIES, COUNTS | {"rl_test": 40})
    settings = Settings(rl_test_samples=8, many_samples=32, many_prompts_per_category=6)
    assert prompts_with_many(large, settings) == few


def test_additional_samples_come_in_batches_after_all_others(tmp_path: Path) -> None:
    def batches(name: str, **test: int) -> list[int]:
        sizes = {"rm_test_responses": 4, "rl_test_samples": 8, "source_temperatures": [1.5]}
        settings = {"profile": name, "policy": {"batch_responses": 50}, "test": sizes | test}
        run = runs.create(tmp_path, Config.model_validate(settings), name)
        run.write_part("prompt", "prompts", 0, PROMPTS)
        return list(test_responses.parts(Context(run, Quiet())).missing.values())

    usual = batches("usual")
    many = batches("many", many_samples=20, many_prompts_per_category=2)
    assert many[: len(usual)] == usual
    assert sum(many[len(usual) :]) == 4 * 2 * (20 - 8)
    assert sum(usual) == 4 * (3 * 4 + 3 * 4 + 3 * 2 + 12 * 8)
    fewer = batches("fewer", paraphrase_responses=2)
    assert sum(usual) - sum(fewer) == 4 * 3 * 2
