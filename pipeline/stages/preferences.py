"""Stage 3: contrasting answers become preference pairs, from several named sources, as the paper mixes data sets.

| source | chosen | rejected |
| --- | --- | --- |
| `temperature` | a cool sample | a hot sample |
| `wrong_prompt` | an answer to the prompt | an answer to another prompt of its category and split |
| `system_prompt` | asked to be careful | asked to be careless |
| `verified` | right (checkable Reasoning) | wrong |
| `refusal` | refuses where that is right, complies where that is right (Safety) | the other way round |

Validation prompts are set aside as a whole: no response to one is on either side of a training pair, nor the other way
round. No text is judged by a model. Or the pairs come from the profile's `[preferences] files`: see `data_sets`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from pipeline.context import Context, StageResult
from pipeline.data_sets.conversations import first_user_turn
from pipeline.data_sets.gather import Rules, gather
from pipeline.data_sets.report import report
from pipeline.errors import InvalidConfig, InvalidDataSet
from pipeline.runs.directory import columns
from pipeline.scoring.grading import is_refusal, is_right

STAGE = "preferences"
_MOST_PER_PROMPT = 4
"""Pairs per prompt from a source with graded responses; more pairs would repeat the same texts."""

Answers = dict[str, list[str]]
"""Responses to one prompt by policy, in the order of their numbers."""


def run(context: Context) -> StageResult:
    if context.config.preferences.files:
        pairs = pairs_of_files(context)
    else:
        pairs = make_pairs(
            context.run.read("prompt").filter(split="rm_train").sort("prompt_id"),
            context.run.read("response", "train_responses"),
            context.config.preferences.validation_share,
            context.rng(STAGE),
        )
    context.run.write_part("preference", STAGE, 0, pairs)
    counts = dict(pairs.group_by("source").len().sort("source").iter_rows())
    context.progress.say(f"preference pairs by source: {counts}")
    context.progress.plan(pairs.height, "pairs", pairs.height)
    return StageResult(pairs.height, "pairs")


def pairs_of_files(context: Context) -> pl.DataFrame:
    """Rows of table `preference` (without `run_id`) from the profile's files, without those on the run's test prompts.

    Raises InvalidDataSet for a file that cannot be read, or if no pair is left to train on or to validate with.
    """
    settings = context.config.preferences
    rules = Rules(
        context.seed(STAGE),
        settings.validation_share,
        settings.ranked_pairs,
        settings.max_characters,
        settings.pairs_per_source,
    )
    pairs, counts, remarks = gather(settings.files, rules)
    for line in report(counts, remarks).splitlines():
        context.progress.say(line)
    test_prompts = context.run.read("prompt").filter(pl.col("split") != "rm_train")["text"]
    tested = {first_user_turn(text) for text in test_prompts}
    on_test = [first_user_turn(prompt) in tested for prompt in pairs["prompt"]]
    if any(on_test):
        context.progress.say(f"ignored {sum(on_test)} pairs on test prompts of this run")
    usable = pairs.filter(~pl.Series(on_test, dtype=pl.Boolean)).drop("subset")
    sides = _sides(usable)
    if not all(sides.values()):
        raise InvalidDataSet(f"preferences.files: got pairs {sides}; give more data, or another validation_share")
    return usable


def make_pairs(
    prompts: pl.DataFrame, responses: pl.DataFrame, validation_share: float, rng: np.random.Generator
) -> pl.DataFrame:
    """Rows of table `preference` (without `run_id`) from the training prompts and the responses to them.

    Raises InvalidConfig if there is no pair to train on or to validate with.
    """
    answers: dict[str, Answers] = {prompt_id: {} for prompt_id in prompts["prompt_id"]}
    for row in responses.sort("prompt_id", "policy_id", "sample").iter_rows(named=True):
        if row["text"]:
            answers[row["prompt_id"]].setdefault(row["policy_id"], []).append(row["text"])
    validation = _validation_prompts(prompts, validation_share, rng)
    rows = []
    splits = prompts.with_columns(
        split=pl.when(pl.col("prompt_id").is_in(list(validation))).then(pl.lit("validation")).otherwise(pl.lit("train"))
    )
    for prompt in splits.iter_rows(named=True):
        others = splits.filter(
            pl.col("prompt_id") != prompt["prompt_id"], category=prompt["category"], split=prompt["split"]
        )["prompt_id"]
        stranger = answers[others[int(rng.integers(len(others)))]] if len(others) else {}
        for source, number, (chosen, rejected) in _pairs_of(prompt, answers[prompt["prompt_id"]], stranger, rng):
            rows.append(
                {
                    "preference_id": f"{source}|{prompt['prompt_id']}|{number}",
                    "source": source,
                    "split": prompt["split"],
                    "category": prompt["category"],
                    "prompt_id": prompt["prompt_id"],
                    "prompt": prompt["text"],
                    "chosen": chosen,
                    "rejected": rejected,
                }
            )
    pairs = pl.DataFrame(rows, schema=columns("preference"))
    sides = _sides(pairs)
    if not all(sides.values()):
        raise InvalidConfig(
            f"preference pairs by split: {sides} from {prompts.height} training prompts; both need at least one: raise "
            "prompts.rm_train_per_category (with prompts.files, give more prompts) or preferences.cool_samples"
        )
    return pairs


def _sides(pairs: pl.DataFrame) -> dict[str, int]:
    """Number of pairs by split."""
    return {split: pairs.filter(split=split).height for split in ("train", "validation")}


def _pairs_of(
    prompt: dict[str, Any], own: Answers, stranger: Answers, rng: np.random.Generator
) -> Iterator[tuple[str, int, tuple[str, str]]]:
    """(source, number, (chosen, rejected)) for one prompt, without pairs of equal texts."""
    cool = own.get("initial-cool", [])
    sources = {
        "temperature": product(cool, own.get("initial-hot", [])),
        "wrong_prompt": zip(cool, stranger.get("initial-cool", []), strict=False),
        "system_prompt": product(own.get("initial-careful", []), own.get("initial-careless", [])),
    }
    everything = [text for texts in own.values() for text in texts]
    if prompt["check"] is not None:
        graded = [(text, is_right(text, prompt["answer"], prompt["check"])) for text in everything]
        sources["verified"] = _contrast(graded, rng)
    if prompt["refuse"] is not None:
        graded = [(text, is_refusal(text) == prompt["refuse"]) for text in everything]
        sources["refusal"] = _contrast(graded, rng)
    for source, pairs in sources.items():
        for number, pair in enumerate(pair for pair in pairs if pair[0] != pair[1]):
            yield source, number, pair


def _contrast(graded: Sequence[tuple[str, bool]], rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """At most four pairs of a good and a bad response; each is used once before any is used again."""
    good = sorted({text for text, is_good in graded if is_good})
    bad = sorted({text for text, is_good in graded if not is_good})
    if good and bad:
        good, bad = list(rng.permutation(good)), list(rng.permutation(bad))
        for index in range(min(_MOST_PER_PROMPT, max(len(good), len(bad)))):
            yield str(good[index % len(good)]), str(bad[index % len(bad)])


def _validation_prompts(prompts: pl.DataFrame, share: float, rng: np.random.Generator) -> set[str]:
    """A share of each category's prompts, at least one; a category with a single prompt keeps it for training."""
    chosen: set[str] = set()
    for _, of_category in prompts.group_by("category", maintain_order=True):
        count = min(max(1, round(share * of_category.height)), of_category.height - 1)
        chosen.update(str(name) for name in rng.permutation(of_category["prompt_id"].to_list())[:count])
    return chosen
