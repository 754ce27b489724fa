"""Stage 7: every reward model scores every test response; the trunk reads each text once for all of them."""

from __future__ import annotations

import polars as pl

from pipeline import texts
from pipeline.context import Context, Work
from warehouse.reads import INITIAL
from warehouse.schema import ORIGINAL, PARAPHRASE

STAGE = "scores"


def run(context: Context) -> Work:
    run, progress = context.run, context.progress
    planned = [(rows, batch) for rows in _groups(context) for batch in texts.batches(_texts(rows))]
    missing = [unit for unit in range(len(planned)) if not run.has_part("score", STAGE, unit)]
    total = sum(len(batch) for _, batch in planned)
    progress.plan(total, "texts", total - sum(len(planned[unit][1]) for unit in missing))
    if missing:
        from pipeline.scoring import Scorer

        scorer = Scorer(context)
    for unit in missing:
        responses, batch = planned[unit]
        run.write_part("score", STAGE, unit, scorer.rows(responses, batch))
        progress.advance(len(batch))
    return Work(total, "texts")


def _groups(context: Context) -> list[pl.DataFrame]:
    """Test responses with the `prompt` that was answered: the initial policy's to the prompts, then all the others.

    They share no batch, so that what else is scored changes no bit of the scores that the study rests on.
    """
    prompts = context.run.read("prompt").select("prompt_id", "paraphrase", original="text")
    answered = pl.when(prompt_form=PARAPHRASE).then("paraphrase").otherwise("original")
    responses = (
        context.run.read("response", "test_responses").join(prompts, on="prompt_id").with_columns(prompt=answered)
    )
    first = (pl.col("policy_id") == INITIAL) & (pl.col("prompt_form") == ORIGINAL)
    return [responses.filter(first), responses.filter(~first)]


def _texts(responses: pl.DataFrame) -> list[texts.Text]:
    return list(responses.select("prompt", "text").iter_rows())
