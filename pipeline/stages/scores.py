"""Stage 7: every reward model scores every test response; the trunk reads each text once for all of them."""

from __future__ import annotations

from pipeline import texts
from pipeline.context import Context, Work

STAGE = "scores"


def run(context: Context) -> Work:
    run, progress = context.run, context.progress
    prompts = run.read("prompt").select("prompt_id", prompt="text")
    responses = run.read("response", "test_responses").join(prompts, on="prompt_id")
    planned = texts.batches(responses.select("prompt", "text").iter_rows())
    missing = [unit for unit in range(len(planned)) if not run.has_part("score", STAGE, unit)]
    total = sum(len(batch) for batch in planned)
    progress.plan(total, "texts", total - sum(len(planned[unit]) for unit in missing))
    if missing:
        from pipeline.scoring import Scorer

        scorer = Scorer(context)
    for unit in missing:
        rows = (
            responses.join(scorer.score(planned[unit]), on=["prompt", "text"])
            .unpivot(scorer.ids, index="response_id", variable_name="reward_model_id", value_name="score")
            .sort("reward_model_id", "response_id")
        )
        run.write_part("score", STAGE, unit, rows)
        progress.advance(len(planned[unit]))
    return Work(total, "texts")
