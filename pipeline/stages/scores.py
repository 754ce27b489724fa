"""Stage 7: every reward model scores every test response; the trunk reads each text once for all that share it.

The edited responses (`probes`) are scored in batches of their own, after all others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

import polars as pl

from pipeline.context import Context, Parts, StageResult
from pipeline.scoring import texts
from pipeline.scoring.scorer import Scorer, groups, part_of, unscored
from pipeline.stages import probes
from warehouse.schema import INITIAL, ORIGINAL

STAGE = "scores"
Batch = tuple[pl.DataFrame, list[texts.Text]]
"""Responses, and those of their texts that are read together."""


def run(context: Context) -> StageResult:
    context.make(probes.parts)
    return context.make(parts)


def parts(context: Context) -> Parts:
    """One part per batch of texts and group of reward models."""
    numbered = [batch for rows in rounds(context) for batch in batches_of(rows)]
    edited = batches_of(texts.answered(context.run, probes.STAGE))
    batches = dict[int | str, Batch](enumerate(numbered))
    batches |= {f"{probes.UNIT}-{number:05d}": batch for number, batch in enumerate(edited)}
    return scoring(context, STAGE, batches, context.config.reward_models.ids)


def scoring(context: Context, stage: str, batches: Mapping[int | str, Batch], names: Collection[str]) -> Parts:
    """Parts that score the batches, by unit, with these reward models: all batches for one group, then for the next."""
    missing: dict[tuple[str, ...], list[int | str]] = {}
    for unit in batches:
        for every in unscored(context, stage, unit):
            if group := tuple(name for name in every if name in names):
                missing.setdefault(group, []).append(unit)
    parts = {part_of(context, stage, unit, group): (unit, group) for group, units in missing.items() for unit in units}

    @cache
    def scorer() -> Scorer:
        return Scorer(context)

    def make(part: str) -> None:
        unit, group = parts[part]
        responses, batch = batches[unit]
        context.run.write_part("score", stage, part, scorer().only(group).rows(responses, batch))
        context.progress.advance(len(batch))

    units = {part: len(batches[unit][1]) for part, (unit, _) in parts.items()}
    total = len(groups(context.config.reward_models, names)) * sum(len(batch) for _, batch in batches.values())
    return Parts(total, "texts", units, make)


def batches_of(responses: pl.DataFrame) -> list[Batch]:
    """The texts of these responses, which have a column `prompt`, in batches."""
    return [(responses, batch) for batch in texts.batches(responses.select("prompt", "text").iter_rows())]


def rounds(context: Context) -> list[pl.DataFrame]:
    """Test responses with the `prompt` they answer: the initial policy's to the prompts, all others, later rounds.

    The three share no batch, so that what else is scored does not change the scores on which the study rests.
    """
    responses = texts.answered(context.run, "test_responses")
    initial = (pl.col("policy_id") == INITIAL) & (pl.col("prompt_form") == ORIGINAL)
    first, *later = context.config.rl_test_rounds
    additional = initial & (pl.col("split") == "rl_test") & (pl.col("sample") >= first.stop)
    numbered = (additional & pl.col("sample").is_in(list(numbers)) for numbers in later)
    return [responses.filter(rows) for rows in (initial & ~additional, ~initial, *numbered)]
