"""Stage 7: every reward model scores every test response; the trunk reads each text once for all of them."""

from __future__ import annotations

from functools import cache

import polars as pl

from pipeline import texts
from pipeline.context import Context, Work
from pipeline.parts import Parts
from pipeline.scoring import Scorer, parts_of, unscored
from warehouse.reads import INITIAL
from warehouse.schema import ORIGINAL, PARAPHRASE

STAGE = "scores"


def run(context: Context) -> Work:
    return context.make(parts)


def parts(context: Context) -> Parts:
    """A batch of texts each."""
    run = context.run
    planned = [(rows, batch) for rows in _groups(context) for batch in texts.batches(_texts(rows))]
    missing = {unit: names for unit in range(len(planned)) if (names := unscored(context, STAGE, unit))}

    @cache
    def scorer() -> Scorer:
        return Scorer(context, set().union(*missing.values()))

    def make(unit: int) -> None:
        responses, batch = planned[unit]
        _, part = parts_of(run, STAGE, unit)
        run.write_part("score", STAGE, part, scorer().only(missing[unit]).rows(responses, batch))
        context.progress.advance(len(batch))

    sizes = {unit: len(planned[unit][1]) for unit in missing}
    return Parts(sum(len(batch) for _, batch in planned), "texts", sizes, make)


def _groups(context: Context) -> list[pl.DataFrame]:
    """Test responses with the `prompt` that was answered: the initial policy's to the prompts, then all the others.

    Last those of further rounds of samples. The groups share no batch, so that what else is scored changes no bit of
    the scores that the study rests on.
    """
    prompts = context.run.read("prompt").select("prompt_id", "split", "paraphrase", original="text")
    answered = pl.when(prompt_form=PARAPHRASE).then("paraphrase").otherwise("original")
    responses = (
        context.run.read("response", "test_responses").join(prompts, on="prompt_id").with_columns(prompt=answered)
    )
    initial = (pl.col("policy_id") == INITIAL) & (pl.col("prompt_form") == ORIGINAL)
    sampled, *later = context.config.rl_test_rounds
    further = initial & (pl.col("split") == "rl_test") & (pl.col("sample") >= sampled.stop)
    groups = [
        initial & ~further,
        ~initial,
        *(further & pl.col("sample").is_in(list(numbers)) for numbers in later),
    ]
    return [responses.filter(group) for group in groups]


def _texts(responses: pl.DataFrame) -> list[texts.Text]:
    return list(responses.select("prompt", "text").iter_rows())
