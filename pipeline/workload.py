"""How much work a run's settings ask for, stage by stage, before anything is run: what an estimate scales.

Work is counted in a unit of the stage's own, such that twice the work takes about twice as long. The constants are of
runs of `smoke` and `quick` on two cores; within one profile they cancel out. For a run that extends another one, work
is what the other lacks.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import polars as pl

from pipeline.config import ALL_LAYERS, Config, PromptSettings, RewardModelPlan
from pipeline.prompts import load_prompts
from pipeline.stages.ppo import jobs
from pipeline.stages.prompts import choose
from pipeline.stages.train_responses import ways

_PROMPT_TOKENS = 60
"""A text is read with its prompt, about so long; sampling does as much for it as for these tokens of a response."""
_PROMPT_TOKENS_SAMPLED = 12
_BLOCKS = 30
"""Blocks of the embedded model: what reads a text, and what `trainable_layers = -1` trains."""
_HEAD = 0.002
"""Training a head alone against training a block."""
_READ_AGAIN = 4 / 3
"""Training with checkpointed gradients: a backward pass is two forward passes' work, and one more is made for it."""
_KEPT_INSIDE = 17
"""Activations that a block keeps for its backward pass against its input alone: 34 to 2 bytes a token and hidden unit
in 16 bits (Korthikanti et al. 2022, arXiv 2205.05198, equation 2, without attention's own)."""
_UPDATE = 0.25
"""PPO: an epoch of updates on a response, or reading it once more, against sampling and judging it."""


def work(config: Config, extends: Config | None = None) -> dict[str, float]:
    """Work of the stages that take time, of a run or of what it has besides the one that it extends."""
    prompts, plans = chosen_prompts(config), config.reward_models.plans
    added = [plan for plan in plans if extends is None or plan not in extends.reward_models.plans]
    tokens = config.policy.max_new_tokens
    texts = _pair_texts(config, prompts)
    before = test_responses(extends, prompts) if extends else 0
    more = test_responses(config, prompts) - before
    return {
        "train_responses": 0.0 if extends else train_responses(config, prompts) * (tokens + _PROMPT_TOKENS_SAMPLED),
        "features": texts * (tokens + _PROMPT_TOKENS) if _new_depths(config, extends) else 0.0,
        "reward_models": texts * sum(plan.train_share * plan.epochs * _learnt(plan, config) for plan in added),
        "test_responses": more * (tokens + _PROMPT_TOKENS_SAMPLED),
        "scores": (more * _read(plans) + before * _read(added)) * (tokens + _PROMPT_TOKENS),
        "best_of_n": float(_count(prompts, "rl_test") * config.test.rl_test_samples * len(plans) ** 2),
        "ppo": _ppo(config, extends, prompts, bool(added)) * (tokens + _PROMPT_TOKENS),
    }


def disk(config: Config, extends: Config | None = None) -> dict[str, float]:
    """What the folders in a run's work folder grow with, by their names, and all its tables together."""
    prompts = chosen_prompts(config)
    added = [plan for plan in config.reward_models.plans if extends is None or plan not in extends.reward_models.plans]
    tokens = config.policy.max_new_tokens + _PROMPT_TOKENS
    kept = sum(1 if depth == 0 else tokens for depth in _new_depths(config, extends))
    optimised = len(_jobs(config)) - len(_jobs(extends))
    answers = [
        train_responses(one, prompts) + test_responses(one, prompts) + len(_jobs(one)) * at_checkpoints(one, prompts)
        for one in (config, extends)
        if one
    ]
    return {
        "features": float(_pair_texts(config, prompts) * kept),
        "reward_models": sum(_trained(plan) for plan in added),
        "ppo": float(optimised * _layers(config.ppo.trainable_layers)) if config.ppo else 0.0,
        "tables": float(answers[0] - sum(answers[1:])),
    }


def batches(config: Config) -> dict[str, int]:
    """Tokens that a batch of the stages holds at most, on which their memory hangs."""
    tokens = config.policy.max_new_tokens + _PROMPT_TOKENS
    sampled = dict.fromkeys(("train_responses", "test_responses"), config.policy.batch_responses * tokens)
    models = config.reward_models
    read = models.texts_at_once * tokens * (1 if models.gradient_checkpointing else _KEPT_INSIDE)
    return (
        sampled
        | ({"ppo": config.ppo.batch_responses * tokens} if config.ppo else {})
        | ({"reward_models": read} if ALL_LAYERS in models.depths else {})
    )


def tells_of(stage: str, config: Config, other: Config) -> bool:
    """Whether the other's seconds for a stage say something of it here: processes that share the cores gain nothing,
    those that have a GPU each do."""
    return stage != "reward_models" or config.reward_models.processes == other.reward_models.processes


def comparable(config: Config, other: Config) -> bool:
    """Whether the work of one says how long the other's takes: the same model, sampler and engine, on the same data."""

    def same(one: Config) -> tuple[object, ...]:
        engine = one.ppo.engine if one.ppo else "in_process"
        return one.policy.model, one.policy.sampler, one.prompts.files, one.preferences.files, engine

    return same(config) == same(other)


def chosen_prompts(config: Config) -> pl.DataFrame:
    return _chosen(config.prompts)


@lru_cache(maxsize=32)
def _chosen(settings: PromptSettings) -> pl.DataFrame:
    """The prompts of a run; of files, which are not read for this, as many as are asked for, without answers."""
    wanted = {
        "rm_train": settings.rm_train_per_category,
        "rm_test": settings.rm_test_per_category,
        "rl_test": settings.rl_test_per_category,
    }
    if not settings.files:
        return choose(load_prompts(), settings.categories, wanted, settings.at_most)
    splits = [split for split, count in wanted.items() for _ in range(count * len(settings.categories))]
    return pl.DataFrame({"split": splits}).with_columns(check=None, refuse=None, paraphrase=None)


def _count(prompts: pl.DataFrame, split: str, which: pl.Expr | None = None) -> int:
    return prompts.filter((pl.col("split") == split) & (pl.lit(True) if which is None else which)).height


def train_responses(config: Config, prompts: pl.DataFrame) -> int:
    if config.preferences.files:
        return 0
    return sum(way.samples * _count(prompts, "rm_train", way.prompts) for way in ways(config.preferences))


def _pair_texts(config: Config, prompts: pl.DataFrame) -> int:
    """What the number of texts of the pairs grows with; of pairs from files there are as many every time."""
    return train_responses(config, prompts) or 1


def test_responses(config: Config, prompts: pl.DataFrame) -> int:
    test = config.test
    forms = _count(prompts, "rm_test") + _count(prompts, "rm_test", pl.col("paraphrase").is_not_null())
    elsewhere = _count(prompts, "rm_test") * test.source_responses * len(test.source_temperatures)
    return forms * test.rm_test_responses + elsewhere + _count(prompts, "rl_test") * test.rl_test_samples


def _jobs(config: Config | None) -> list[object]:
    return [*jobs(config.ppo, config.reward_models.trained_ids)] if config and config.ppo else []


def at_checkpoints(config: Config, prompts: pl.DataFrame) -> int:
    """Responses that one policy of PPO gives at its checkpoints."""
    if config.ppo is None:
        return 0
    at_each = _count(prompts, "rl_test") * config.ppo.test_samples
    return at_each * len(config.ppo.checkpoints) + _count(prompts, "rm_test")


def _ppo(config: Config, extends: Config | None, prompts: pl.DataFrame, added: bool) -> float:
    if config.ppo is None:
        return 0.0
    there, answers = len(_jobs(extends)), at_checkpoints(config, prompts)
    each = config.ppo.steps * config.ppo.batch_responses * (1 + _UPDATE * config.ppo.epochs) + answers
    return (len(_jobs(config)) - there) * each + (_UPDATE * there * answers if added else 0.0)


def _new_depths(config: Config, extends: Config | None) -> set[int]:
    """Depths of features that have to be read from the trunk; those that train all layers use none."""
    there = set(extends.reward_models.depths if extends else ())
    return set(config.reward_models.depths) - there - {ALL_LAYERS}


def _layers(trainable_layers: int) -> int:
    return _BLOCKS if trainable_layers == ALL_LAYERS else trainable_layers


def _trained(plan: RewardModelPlan) -> float:
    return _layers(plan.trainable_layers) + _HEAD


def _learnt(plan: RewardModelPlan, config: Config) -> float:
    """Training on one text."""
    again = config.reward_models.gradient_checkpointing and plan.trainable_layers != 0
    return _trained(plan) * (_READ_AGAIN if again else 1)


def _read(plans: Iterable[RewardModelPlan]) -> float:
    """Reading a text for the scores of these reward models: once by the trunk, then by the blocks of each."""
    layers = [_layers(plan.trainable_layers) for plan in plans]
    return 1 + sum(layers) / _BLOCKS if layers else 0.0
