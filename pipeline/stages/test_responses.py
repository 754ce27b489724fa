"""Stage 6: the initial policy answers the test prompts: R times each RM-test prompt, N times each RL-test prompt.

For other test sets (METHOD, "Test-set constructions") it also answers the RM-test prompts' paraphrases, R times each,
and the prompts themselves at other temperatures: further sources of responses. Where the run extends one with fewer
samples, the RL-test prompts' further ones come last, so that they change none of the others.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.context import Context, Parts, StageResult
from pipeline.stages.sampling import Wanted, policy_row, sampling
from warehouse.schema import INITIAL, PARAPHRASE

STAGE = "test_responses"


def run(context: Context) -> StageResult:
    policies = [policy_row(context, name, temperature) for name, temperature in _temperatures(context).items()]
    context.run.write_part("policy", STAGE, 0, pl.DataFrame(policies, infer_schema_length=None))
    return context.make(parts)


def parts(context: Context) -> Parts:
    """A batch of responses each."""
    settings, temperatures = context.config.test, _temperatures(context)
    first, *later = context.config.rl_test_rounds
    samples = {"rm_test": settings.rm_test_responses, "rl_test": len(first)}
    initial, paraphrased, elsewhere = [], [], []
    more: list[list[Wanted]] = [[] for _ in later]
    for row in context.run.read("prompt").filter(pl.col("split").is_in(list(samples))).iter_rows(named=True):
        to_prompt = Wanted(INITIAL, row["prompt_id"], row["text"], temperatures[INITIAL], samples[row["split"]])
        initial.append(to_prompt)
        if row["split"] == "rl_test":
            for further, numbers in zip(more, later, strict=True):
                further.append(replace(to_prompt, samples=len(numbers), first=numbers.start))
            continue
        if row["paraphrase"] is not None:
            paraphrased.append(replace(to_prompt, prompt=row["paraphrase"], prompt_form=PARAPHRASE))
        for name, temperature in list(temperatures.items())[1:]:
            there = replace(to_prompt, policy_id=name, temperature=temperature, samples=settings.source_responses)
            elsewhere.append(there)
    return sampling(context, STAGE, initial, paraphrased, elsewhere, *more)


def _temperatures(context: Context) -> dict[str, float]:
    """The temperature at which each source of responses is sampled, by its `policy_id`."""
    further = {source_id(temperature): temperature for temperature in context.config.test.source_temperatures}
    return {INITIAL: context.config.policy.temperature, **further}


def source_id(temperature: float) -> str:
    """`policy_id` of the initial policy at another temperature, e.g. `initial-t0.50`."""
    return f"{INITIAL}-t{temperature:.2f}"
