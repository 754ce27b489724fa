"""Stage 7: every reward model scores every test response; the trunk reads each text once for all of them.

The text is scored, not the tokens that were sampled: so a score can be had again from the text and the saved weights.
"""

from __future__ import annotations

import polars as pl

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
        from pipeline.models.reward_model import load_reward_model
        from pipeline.models.trunk import trunk_features

        saved = run.read("reward_model").sort("reward_model_id").select("reward_model_id", "weights")
        models = {
            name: load_reward_model(run.path / weights, context.base_model) for name, weights in saved.iter_rows()
        }
    for unit in missing:
        batch = planned[unit]
        features = trunk_features(context.base_model, context.config.reward_models.trainable_layers, batch)
        scored = pl.DataFrame(batch, schema=["prompt", "text"], orient="row").with_columns(
            pl.Series(name, model.score(features)) for name, model in models.items()
        )
        rows = (
            responses.join(scored, on=["prompt", "text"])
            .unpivot(list(models), index="response_id", variable_name="reward_model_id", value_name="score")
            .sort("reward_model_id", "response_id")
        )
        run.write_part("score", STAGE, unit, rows)
        progress.advance(len(batch))
    return Work(total, "texts")
