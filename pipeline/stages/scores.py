"""Stage 7: every reward model scores every test response; the trunk reads each text once for all of them."""

from __future__ import annotations

import polars as pl

from pipeline import texts
from pipeline.context import Context, Work
from pipeline.scoring import Scorer, parts_of, unscored
from warehouse.reads import INITIAL
from warehouse.schema import ORIGINAL, PARAPHRASE

STAGE = "scores"


def run(context: Context) -> Work:
    run, progress = context.run, context.progress
    planned = [(rows, batch) for rows in _groups(context) for batch in texts.batches(_texts(rows))]
    missing = {unit: names for unit in range(len(planned)) if (names := unscored(context, STAGE, unit))}
    total = sum(len(batch) for _, batch in planned)
    progress.plan(total, "texts", total - sum(len(planned[unit][1]) for unit in missing))
    if missing:
        scorer = Scorer(context, set().union(*missing.values()))
    for unit, names in missing.items():
        responses, batch = planned[unit]
        _, part = parts_of(run, STAGE, unit)
        run.write_part("score", STAGE, part, scorer.only(names).rows(responses, batch))
        progress.advance(len(batch))
    return Work(total, "texts")


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
