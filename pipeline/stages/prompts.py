"""Stage 1: the prompts of the run, as many of each category and purpose as the profile says.

They are the project's own, or come from the profile's `[prompts] files`, such as RewardBench's. They are taken evenly
from the subsets, in the order of their numbers, so that a larger profile contains the prompts of a smaller one. With
`instructions`, each ends with one of them, as its user would have written it; its paraphrase ends with the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from pipeline.context import Context, StageResult
from pipeline.errors import InvalidConfig
from pipeline.prompts import load_prompts, load_prompts_of
from warehouse.schema import SPLITS


def run(context: Context) -> StageResult:
    settings = context.config.prompts
    counts = {split: getattr(settings, f"{split}_per_category") for split in SPLITS}
    if settings.files:
        prompts, uncategorised = load_prompts_of(settings.files)
        if uncategorised:
            context.progress.say(f"ignored {uncategorised} prompts of the profile's files that have no category")
    else:
        prompts = load_prompts()
    chosen = instructed(
        choose(prompts, settings.categories, counts, settings.at_most),
        settings.instructions,
        lambda prompt_id: context.seed("prompts", "instruction", prompt_id),
    )
    context.run.write_part("prompt", "prompts", 0, chosen)
    context.progress.plan(chosen.height, "prompts", chosen.height)
    return StageResult(chosen.height, "prompts")


def choose(
    prompts: pl.DataFrame, categories: tuple[str, ...], counts: dict[str, int], at_most: bool = False
) -> pl.DataFrame:
    """`counts[split]` prompts of each category, evenly from its subsets; with `at_most`, or as many as there are.

    Raises InvalidConfig if a category has too few prompts (with `at_most`, none), or if all categories together have
    fewer than two prompts of a test split, from which nothing can be measured.
    """
    ordered = {split: evenly(prompts.filter(split=split)) for split in counts}
    parts = []
    for category in categories:
        for split, count in counts.items():
            available = ordered[split].filter(category=category)
            if available.height < (1 if at_most else count):
                raise InvalidConfig(
                    f"prompts.{split}_per_category is {count}; {category} has {available.height} {split} prompts: "
                    "lower it"
                )
            parts.append(available.head(count))
    chosen = pl.concat(parts).sort("prompt_id")
    for split in counts.keys() - {"rm_train"}:
        if chosen.filter(split=split).height < 2:
            raise InvalidConfig(
                f"prompts.files have 1 {split} prompt in the categories {list(categories)}; give files with two or more"
            )
    return chosen


def evenly(prompts: pl.DataFrame) -> pl.DataFrame:
    """Rows with a `prompt_id`, by category and then each subset's in turn, in the order of their numbers."""
    number = pl.col("prompt_id").str.split("/").list.last().cast(pl.Int64)
    return prompts.sort("category", number.rank("ordinal").over("category", "subset"), "subset")


def instructed(prompts: pl.DataFrame, instructions: Sequence[str], seed: Callable[[str], int]) -> pl.DataFrame:
    """The prompts, each followed by one of the instructions, which `seed(prompt_id)` chooses; none: as they are."""
    if not instructions:
        return prompts
    drawn = pl.Series([instructions[seed(name) % len(instructions)] for name in prompts["prompt_id"]])
    return prompts.with_columns(pl.col(name) + " " + drawn for name in ("text", "paraphrase"))
