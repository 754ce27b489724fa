"""Stage 1: the prompts of the run, as many of each category and purpose as the profile says.

The project's own, or those of the profile's `[prompts] files`, such as RewardBench.
Taken evenly over the subsets, in the order of their numbers, so that a larger profile holds the smaller one's prompts.
"""

from __future__ import annotations

import polars as pl

from pipeline.context import Context, StageResult
from pipeline.errors import InvalidConfig
from pipeline.prompts import load_prompts, load_prompts_of


def run(context: Context) -> StageResult:
    settings = context.config.prompts
    wanted = {
        "rm_train": settings.rm_train_per_category,
        "rm_test": settings.rm_test_per_category,
        "rl_test": settings.rl_test_per_category,
    }
    if settings.files:
        there, without = load_prompts_of(settings.files)
        if without:
            context.progress.say(f"{without} prompts of the profile's files have no category and are left out")
    else:
        there = load_prompts()
    chosen = choose(there, settings.categories, wanted, settings.at_most)
    context.run.write_part("prompt", "prompts", 0, chosen)
    context.progress.plan(chosen.height, "prompts", chosen.height)
    return StageResult(chosen.height, "prompts")


def choose(
    prompts: pl.DataFrame, categories: tuple[str, ...], wanted: dict[str, int], at_most: bool = False
) -> pl.DataFrame:
    """`wanted[split]` prompts of each category, evenly over its subsets.

    Raises InvalidConfig if there are not as many, or with `at_most` if a category has none; and if all categories
    together have fewer than two prompts of a test split, from which nothing can be measured.
    """
    number = pl.col("prompt_id").str.split("/").list.last().cast(pl.Int64)
    place = number.rank("ordinal").over("category", "subset", "split")
    ordered = prompts.with_columns(place=place).sort("category", "split", "place", "subset")
    parts = []
    for category in categories:
        for split, count in wanted.items():
            there = ordered.filter(category=category, split=split)
            if there.height < (1 if at_most else count):
                raise InvalidConfig(
                    f"prompts.{split}_per_category is {count}; {category} has {there.height} {split} prompts: lower it"
                )
            parts.append(there.head(count))
    chosen = pl.concat(parts).drop("place").sort("prompt_id")
    for split in wanted.keys() - {"rm_train"}:
        if chosen.filter(split=split).height < 2:
            raise InvalidConfig(
                f"prompts.files have 1 {split} prompt in the categories {list(categories)}; give files with two or more"
            )
    return chosen
