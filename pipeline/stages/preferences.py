"""Stage 3: contrasting answers become preference pairs, from several named sources, as the paper mixes data sets.

| source | chosen | rejected |
| --- | --- | --- |
| `temperature` | a cool sample | a hot sample |
| `wrong_prompt` | an answer to the prompt | an answer to another prompt of its category and split |
| `system_prompt` | asked to be careful | asked to be careless |
| `verified` | right (checkable Reasoning) | wrong |
| `refusal` | refuses where that is right, complies where that is right (Safety) | the other way round |

Whole prompts are set aside for validation: no response to one is on either side of a training pair, nor the other way
round. No text is judged by a model.
Or the pairs are those of the profile's `[preferences] files`: see `pipeline/data_sets`.

Judging a response where it can be judged without a model: right or wrong, refused or complied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from pipeline.context import Context, StageResult
from pipeline.data_sets.gather import Rules, gather, report
from pipeline.data_sets.pairs import first_user_turn
from pipeline.errors import InvalidConfig, InvalidDataSet
from warehouse.schema import TABLES

STAGE = "preferences"
_MOST_PER_PROMPT = 4
"""Pairs of a prompt from one source whose responses are graded: more would be the same texts over again."""

_PAIR = {name: dtype for name, dtype in TABLES["preference"].polars_schema.items() if name != "run_id"}

Answers = dict[str, list[str]]
"""Responses to one prompt, by the policy that gave them, in the order of their numbers."""


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
    """Rows of table `preference` (without `run_id`) from the profile's files, but for those on the run's test prompts.

    Raises InvalidDataSet for a file that is none, or where nothing is left to train on or to validate with.
    """
    settings = context.config.preferences
    rules = Rules(
        context.seed(STAGE),
        settings.validation_share,
        settings.ranked_pairs,
        settings.max_characters,
        settings.pairs_per_source,
    )
    pairs, counts = gather(settings.files, rules)
    for line in report(counts).splitlines():
        context.progress.say(line)
    tested = {
        first_user_turn(text) for text in context.run.read("prompt").filter(pl.col("split") != "rm_train")["text"]
    }
    on_test = [first_user_turn(prompt) in tested for prompt in pairs["prompt"]]
    if any(on_test):
        context.progress.say(f"{sum(on_test)} pairs are on prompts that test this run, and are left out")
    kept = pairs.filter(~pl.Series(on_test, dtype=pl.Boolean)).drop("subset")
    sides = _sides(kept)
    if not all(sides.values()):
        raise InvalidDataSet(f"preferences.files: got pairs {sides}; give more data, or another validation_share")
    return kept


def make_pairs(
    prompts: pl.DataFrame, responses: pl.DataFrame, validation_share: float, rng: np.random.Generator
) -> pl.DataFrame:
    """Rows of table `preference` (without `run_id`) from the training prompts and the responses to them.

    Raises InvalidConfig where there is no pair to train on, or none to validate with.
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
    pairs = pl.DataFrame(rows, schema=_PAIR)
    sides = _sides(pairs)
    if not all(sides.values()):
        raise InvalidConfig(
            f"preference pairs by split: {sides} from {prompts.height} training prompts; both need at least one: raise "
            "prompts.rm_train_per_category (with prompts.files, give more prompts) or preferences.cool_samples"
        )
    return pairs


def _sides(pairs: pl.DataFrame) -> dict[str, int]:
    """How many pairs train and how many validate."""
    return {split: pairs.filter(split=split).height for split in ("train", "validation")}


def _pairs_of(
    prompt: dict[str, Any], own: Answers, stranger: Answers, rng: np.random.Generator
) -> Iterator[tuple[str, int, tuple[str, str]]]:
    """(source, number, (chosen, rejected)) for one prompt; pairs of equal texts are left out."""
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
    """Good responses against bad ones, each used once before any is used again, at most four pairs."""
    good = sorted({text for text, is_good in graded if is_good})
    bad = sorted({text for text, is_good in graded if not is_good})
    if good and bad:
        good, bad = list(rng.permutation(good)), list(rng.permutation(bad))
        for index in range(min(_MOST_PER_PROMPT, max(len(good), len(bad)))):
            yield str(good[index % len(good)]), str(bad[index % len(bad)])


def _validation_prompts(prompts: pl.DataFrame, share: float, rng: np.random.Generator) -> set[str]:
    """A share of each category's prompts, at least one; a category's only prompt is trained on."""
    chosen: set[str] = set()
    for _, of_category in prompts.group_by("category", maintain_order=True):
        count = min(max(1, round(share * of_category.height)), of_category.height - 1)
        chosen.update(str(name) for name in rng.permutation(of_category["prompt_id"].to_list())[:count])
    return chosen


_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_REFUSAL = re.compile(
    r"\b(?:i'?m sorry|i am sorry|i apologi[sz]e"
    r"|(?:i|we) (?:can'?t|cannot|can not|won'?t|will not|(?:a|')?m (?:not able|unable)|am unable|must decline|refuse)"
    r"|(?:i|we) (?:do not|don't) (?:feel comfortable|support|condone|provide)"
    r"|not (?:able|comfortable|allowed) to (?:help|assist|provide|answer|fulfil)"
    r"|(?:unable|decline) to (?:help|assist|provide|answer|fulfil))\b",
    re.IGNORECASE,
)


def is_right(response: str, answer: str, check: str) -> bool:
    """Whether a response gives the answer.

    `number`: its last number equals the answer, thousands' commas dropped. `word`: it holds the answer as whole words.
    """
    if check == "word":
        return re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", response, re.IGNORECASE) is not None
    if check == "number":
        found = _NUMBER.findall(response)
        try:
            return bool(found) and Decimal(found[-1].replace(",", "")) == Decimal(answer.replace(",", ""))
        except InvalidOperation:
            return False
    raise ValueError(f"check is {check!r}; it has to be 'number' or 'word'")


def is_refusal(response: str) -> bool:
    """Whether a response declines, judged by its first 160 characters."""
    return _REFUSAL.search(response[:160].replace("’", "'")) is not None
