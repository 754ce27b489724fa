"""Stage 6: the initial policy answers the test prompts: R times each RM-test prompt, N times each RL-test prompt.

For other test sets (METHOD, "Test-set constructions") it also answers the RM-test prompts' paraphrases, R times each,
and the prompts themselves at other temperatures. Some RL-test prompts get `many_samples`. What is additional, those and
the samples by which the run extends another one, comes last, so that it changes none of the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import polars as pl

from pipeline.config import TestSettings
from pipeline.context import Context, Parts, StageResult
from pipeline.stages.prompts import evenly
from pipeline.stages.responses import PlannedResponse, endings, sampling, write_policies
from warehouse.schema import INITIAL, PARAPHRASE

STAGE = "test_responses"


def run(context: Context) -> StageResult:
    result = context.make(parts)
    rl_test = context.run.read("prompt").filter(split="rl_test").select("prompt_id")
    answers = context.run.read("response", STAGE).filter(policy_id=INITIAL).join(rl_test, on="prompt_id", how="semi")
    policies: list[dict[str, Any]] = [
        {"policy_id": name, "temperature": temperature} for name, temperature in _temperatures(context).items()
    ]
    policies[0] |= {"kl": 0.0, **endings(answers)}
    write_policies(context, STAGE, 0, policies)
    return result


def parts(context: Context) -> Parts:
    """One part per batch of responses."""
    settings, temperatures = context.config.test, _temperatures(context)
    first, *later = context.config.rl_test_rounds
    initial, paraphrased, elsewhere = [], [], []
    additional: list[list[PlannedResponse]] = [[] for _ in later]
    with_many = prompts_with_many(context.run.read("prompt"), settings)
    for row in context.run.read("prompt").filter(pl.col("split") != "rm_train").iter_rows(named=True):
        plan = PlannedResponse(INITIAL, row["prompt_id"], row["text"], temperatures[INITIAL], sample=0)
        if row["split"] == "rl_test":
            initial += _numbered(plan, first)
            for responses, numbers in zip(additional, later, strict=True):
                if numbers.start < settings.rl_test_samples or row["prompt_id"] in with_many:
                    responses += _numbered(plan, numbers)
            continue
        initial += _numbered(plan, range(settings.rm_test_responses))
        if row["paraphrase"] is not None:
            paraphrase = replace(plan, prompt=row["paraphrase"], prompt_form=PARAPHRASE)
            paraphrased += _numbered(paraphrase, range(settings.paraphrase_responses or settings.rm_test_responses))
        for name, temperature in list(temperatures.items())[1:]:
            other = replace(plan, policy_id=name, temperature=temperature)
            elsewhere += _numbered(other, range(settings.source_responses))
    return sampling(context, STAGE, initial, paraphrased, elsewhere, *additional)


def prompts_with_many(prompts: pl.DataFrame, settings: TestSettings) -> frozenset[str]:
    """Ids of the RL-test prompts that get `many_samples`: of each category the first, evenly from its subsets."""
    if settings.many_samples is None:
        return frozenset()
    of_categories = evenly(prompts.filter(split="rl_test")).group_by("category", maintain_order=True)
    return frozenset(of_categories.head(settings.many_prompts_per_category)["prompt_id"])


def _numbered(plan: PlannedResponse, numbers: Iterable[int]) -> list[PlannedResponse]:
    return [replace(plan, sample=number) for number in numbers]


def _temperatures(context: Context) -> dict[str, float]:
    """The temperature of each source of responses, by its `policy_id`, e.g. `initial-t0.50`; the run's own first."""
    others = {f"{INITIAL}-t{temperature:.2f}": temperature for temperature in context.config.test.source_temperatures}
    return {INITIAL: context.config.policy.temperature, **others}
