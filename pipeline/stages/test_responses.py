"""Stage 6: the initial policy answers the test prompts: R times each RM-test prompt, N times each RL-test prompt."""

from __future__ import annotations

import polars as pl

from pipeline.context import Context, Work
from pipeline.sampling import Wanted, policy_row, sample_responses
from warehouse.reads import INITIAL

STAGE = "test_responses"


def run(context: Context) -> Work:
    settings, temperature = context.config.test, context.config.policy.temperature
    context.run.write_part("policy", STAGE, 0, pl.DataFrame([policy_row(context, INITIAL, temperature)]))
    samples = {"rm_test": settings.rm_test_responses, "rl_test": settings.rl_test_samples}
    wanted = [
        Wanted(INITIAL, row["prompt_id"], row["text"], temperature, samples[row["split"]])
        for row in context.run.read("prompt").filter(pl.col("split").is_in(list(samples))).iter_rows(named=True)
    ]
    return sample_responses(context, STAGE, wanted)
