"""How many prompts, pairs and responses a run's settings ask for; of files, which are not read, the most there are.

RewardBench (arXiv 2403.13787) has 2,985 rows in its four categories; 2,733 of their prompts are distinct.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipeline import workload
from pipeline.config import Config
from pipeline.prompts import split_of
from pipeline.stages.ppo import jobs

PAPER_PAIRS = 112_400
"""Pairs that the paper kept of its mix (arXiv 2410.05584)."""

_REWARDBENCH_ROWS: Mapping[str, int] = {"Chat": 358, "Chat Hard": 456, "Safety": 740, "Reasoning": 1431}
_SPLIT_PERIOD = 8
_GRADED_PAIRS = 4


@dataclass(frozen=True)
class Counts:
    """`train_texts`: responses sampled for pairs; `pairs`: at most so many, all of them trained on."""

    prompts: Mapping[str, int]
    train_texts: int
    pairs: int
    test_texts: int
    policies: int
    checkpoint_texts: int


def counts(config: Config, pairs: int | None = None) -> Counts:
    """What there is to do; `pairs` replaces the number of preference pairs."""
    prompts = _prompts(config)
    found = {split: prompts.filter(split=split).height for split in ("rm_train", "rm_test", "rl_test")}
    return Counts(
        prompts=found,
        train_texts=workload.train_responses(config, prompts),
        pairs=pairs or _pairs(config, prompts),
        test_texts=workload.test_responses(config, prompts),
        policies=len(jobs(config.ppo, config.reward_models.trained_ids)) if config.ppo else 0,
        checkpoint_texts=workload.at_checkpoints(config, prompts),
    )


def _prompts(config: Config) -> pl.DataFrame:
    prompts = workload.chosen_prompts(config)
    if not (config.prompts.files and all("reward-bench" in place for place in config.prompts.files)):
        return prompts
    splits = [split_of(f"subset/{number}") for number in range(1, _SPLIT_PERIOD + 1)]
    wanted = {
        "rm_train": config.prompts.rm_train_per_category,
        "rm_test": config.prompts.rm_test_per_category,
        "rl_test": config.prompts.rl_test_per_category,
    }
    rows = [
        split
        for category in config.prompts.categories
        for split, most in wanted.items()
        for _ in range(min(most, _REWARDBENCH_ROWS[category] * splits.count(split) // _SPLIT_PERIOD))
    ]
    return pl.DataFrame({"split": rows}).with_columns(check=None, refuse=None, paraphrase=None)


def _pairs(config: Config, prompts: pl.DataFrame) -> int:
    """At most: contrasting samples of every training prompt, and graded ones where it can be graded."""
    settings = config.preferences
    if settings.files:
        return PAPER_PAIRS
    trained = prompts.filter(split="rm_train")
    graded = trained["check"].count() + trained["refuse"].count()
    each = 2 * settings.cool_samples + 1  # against a hot one, against another prompt's answer; careful against careless
    return trained.height * each + graded * _GRADED_PAIRS
