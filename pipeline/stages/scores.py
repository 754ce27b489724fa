"""Stage 7: every reward model scores every test response; the trunk reads each text once for all that share it."""

from __future__ import annotations

from functools import cache

import polars as pl

from pipeline.context import Context, Parts, StageResult
from pipeline.scoring import texts
from pipeline.scoring.scorer import Scorer, groups, part_of, unscored
from warehouse.schema import INITIAL, ORIGINAL

STAGE = "scores"


def run(context: Context) -> StageResult:
    return context.make(parts)


def parts(context: Context) -> Parts:
    """A batch of texts by a group of reward models each: all batches by one group, then by the next."""
    run, settings = context.run, context.config.reward_models
    planned = [(rows, batch) for rows in rounds(context) for batch in texts.batches(_texts(rows))]
    lacking: dict[tuple[str, ...], list[int]] = {}
    for unit in range(len(planned)):
        for group in unscored(context, STAGE, unit):
            lacking.setdefault(group, []).append(unit)
    parts = {part_of(context, STAGE, unit, group): (unit, group) for group, units in lacking.items() for unit in units}

    @cache
    def scorer() -> Scorer:
        return Scorer(context)

    def make(part: str) -> None:
        unit, group = parts[part]
        responses, batch = planned[unit]
        run.write_part("score", STAGE, part, scorer().only(group).rows(responses, batch))
        context.progress.advance(len(batch))

    missing = {part: len(planned[unit][1]) for part, (unit, _) in parts.items()}
    readings = len(groups(settings, settings.ids))
    return Parts(readings * sum(len(batch) for _, batch in planned), "texts", missing, make)


def rounds(context: Context) -> list[pl.DataFrame]:
    """Test responses with the `prompt` that was answered: the initial policy's to the prompts, then all the others.

    Last those of further rounds of samples. They share no batch, so that what else is scored changes no bit of
    the scores that the study rests on.
    """
    responses = texts.answered(context.run, "test_responses")
    initial = (pl.col("policy_id") == INITIAL) & (pl.col("prompt_form") == ORIGINAL)
    sampled, *later = context.config.rl_test_rounds
    further = initial & (pl.col("split") == "rl_test") & (pl.col("sample") >= sampled.stop)
    found = [
        initial & ~further,
        ~initial,
        *(further & pl.col("sample").is_in(list(numbers)) for numbers in later),
    ]
    return [responses.filter(rows) for rows in found]


def _texts(responses: pl.DataFrame) -> list[texts.Text]:
    return list(responses.select("prompt", "text").iter_rows())
