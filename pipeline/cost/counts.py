"""How many texts, pairs, policies and tokens a run's settings lead to.

Data sets in files are not opened: the counts are then upper limits. RewardBench (arXiv 2403.13787) has 2,985 rows in
its four categories; 2,733 of their prompts are distinct.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from pipeline.config import Algorithm, Config, PPOSettings, PromptSettings, TestSettings
from pipeline.prompts import load_prompts, split_of
from pipeline.stages.checkpoints import jobs
from pipeline.stages.probes import MOST_PROMPTS
from pipeline.stages.prompts import choose
from pipeline.stages.train_responses import ways
from warehouse.schema import EDITS

PAPER_PAIRS = 112_400
"""Pairs that the paper kept of its mix (arXiv 2410.05584)."""

_PAIRS_PER_TEXT = 0.92
"""Pairs made of our own training responses, per response: 898 of 976 in the run of `quick` in reference.json."""
_REWARDBENCH_ROWS: Mapping[str, int] = {"Chat": 358, "Chat Hard": 456, "Safety": 740, "Reasoning": 1431}
_SPLIT_PERIOD = 8
_CHARACTERS_PER_TOKEN = 4
_LONGEST_PROMPT_TOKENS = 1024
_OWN_PROMPT_TOKENS = 60
"""Our own prompts in the embedded model's chat template, about."""


@dataclass(frozen=True)
class TrainedPolicies:
    """The policies that one algorithm trains: its settings, their number, and the responses of one at all checkpoints.

    `pool_texts`: stored responses that all of them learn from.
    """

    algorithm: Algorithm
    settings: PPOSettings
    number: int
    checkpoint_texts: int
    pool_texts: int = 0


@dataclass(frozen=True)
class Counts:
    """`train_texts`: responses sampled to make pairs; `rl_test_texts`: those of `test_texts` to RL-test prompts;
    `probe_texts`: edited responses.

    Lengths are in tokens: of a prompt, a response, and a text of a preference pair with its prompt; by default the
    longest that the settings allow.
    """

    prompts: Mapping[str, int]
    train_texts: int
    pairs: int
    test_texts: int
    rl_test_texts: int
    probe_texts: int
    trained: tuple[TrainedPolicies, ...]
    prompt_tokens: int
    response_tokens: int
    pair_tokens: int

    @property
    def text_tokens(self) -> int:
        """Tokens of a prompt with its response."""
        return self.prompt_tokens + self.response_tokens

    @property
    def pair_texts(self) -> int:
        """Distinct texts in the preference pairs."""
        return self.train_texts or 2 * self.pairs

    @property
    def scored_texts(self) -> int:
        """Responses that every reward model scores before the policy is trained."""
        return self.test_texts + self.probe_texts

    @property
    def responses(self) -> int:
        """Responses that every reward model scores."""
        of_policies = sum(own.number * own.checkpoint_texts + own.pool_texts for own in self.trained)
        return self.scored_texts + of_policies


def counts(
    config: Config,
    *,
    pairs: int | None = None,
    prompt_tokens: int | None = None,
    response_tokens: int | None = None,
    pair_tokens: int | None = None,
) -> Counts:
    """The counts of a run; an argument replaces what the settings imply."""
    prompts, test, ppo = _prompts(config.prompts), config.test, config.ppo

    def count(split: str, which: pl.Expr | None = None) -> int:
        return prompts.filter((pl.col("split") == split) & (pl.lit(True) if which is None else which)).height

    train_texts = 0
    if not config.preferences.files:
        train_texts = sum(way.samples * count("rm_train", way.prompts) for way in ways(config.preferences))
    of_split = {split: count(split) for split in ("rm_train", "rm_test", "rl_test")}
    paraphrases = count("rm_test", pl.col("paraphrase").is_not_null())
    rm_test_texts = of_split["rm_test"] * (
        test.rm_test_responses + test.source_responses * len(test.source_temperatures)
    ) + paraphrases * (test.paraphrase_responses or test.rm_test_responses)
    rl_test_texts = of_split["rl_test"] * test.rl_test_samples
    if test.many_samples is not None:
        rl_test_texts += _with_many(prompts, test) * (test.many_samples - test.rl_test_samples)
    longest_prompt = ppo.openrlhf.max_prompt_tokens if ppo else _LONGEST_PROMPT_TOKENS
    longest_own = _OWN_PROMPT_TOKENS + max(map(len, config.prompts.instructions), default=0) // _CHARACTERS_PER_TOKEN
    longest_pair = longest_own + config.policy.max_new_tokens
    if config.preferences.files:
        longest_pair = config.preferences.max_characters // _CHARACTERS_PER_TOKEN
    return Counts(
        prompts=of_split,
        train_texts=train_texts,
        pairs=pairs or (PAPER_PAIRS if config.preferences.files else round(_PAIRS_PER_TEXT * train_texts)),
        test_texts=rm_test_texts + rl_test_texts,
        rl_test_texts=rl_test_texts,
        probe_texts=len(EDITS) * min(of_split["rm_test"], MOST_PROMPTS) if test.probes else 0,
        trained=_trained(ppo, config.reward_models.trained_ids, of_split) if ppo else (),
        prompt_tokens=prompt_tokens or (longest_prompt if config.prompts.files else longest_own),
        response_tokens=response_tokens or config.policy.max_new_tokens,
        pair_tokens=pair_tokens or longest_pair,
    )


def _trained(
    ppo: PPOSettings, reward_models: tuple[str, ...], prompts: Mapping[str, int]
) -> tuple[TrainedPolicies, ...]:
    """What each algorithm trains: repeats and sweeps, each with the algorithm's own settings."""
    numbers = Counter(job.algorithm for job in jobs(ppo, reward_models))
    trained = []
    for algorithm in ppo.algorithms:
        own = ppo.of(algorithm)
        samples = (own.checkpoint_samples or own.test_samples) * (len(own.checkpoints) - 1) + own.test_samples
        texts = prompts["rl_test"] * samples + prompts["rm_test"]
        pool = own.pool_responses * own.repeats * prompts["rm_train"] if algorithm == "sft" else 0
        trained.append(TrainedPolicies(algorithm, own, numbers[algorithm], texts, pool))
    return tuple(trained)


def _with_many(prompts: pl.DataFrame, test: TestSettings) -> int:
    """How many RL-test prompts get `many_samples`."""
    of_category = prompts.filter(split="rl_test").group_by("category").len()["len"]
    return sum(min(number, test.many_prompts_per_category) for number in of_category)


@lru_cache(maxsize=32)
def _prompts(settings: PromptSettings) -> pl.DataFrame:
    """The prompts of a run. For files: as many rows as the settings ask for, but no more than RewardBench has, without
    answers to check."""
    most = {
        "rm_train": settings.rm_train_per_category,
        "rm_test": settings.rm_test_per_category,
        "rl_test": settings.rl_test_per_category,
    }
    if not settings.files:
        return choose(load_prompts(), settings.categories, most, settings.at_most)
    splits = [split_of(f"subset/{number}") for number in range(1, _SPLIT_PERIOD + 1)]
    rewardbench = all("reward-bench" in place for place in settings.files)

    def available(category: str, split: str) -> int:
        rows = _REWARDBENCH_ROWS[category] * splits.count(split) // _SPLIT_PERIOD
        return min(most[split], rows) if rewardbench else most[split]

    rows = [
        (category, split)
        for category in settings.categories
        for split in most
        for _ in range(available(category, split))
    ]
    frame = pl.DataFrame(rows, schema=["category", "split"], orient="row")
    return frame.with_columns(check=None, refuse=None, paraphrase=None)
