"""Stage 2: the initial policy answers the RM-training prompts in contrasting ways, from which pairs are made.

Where the profile takes its pairs from files (`[preferences] files`), there is nothing to do.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.config import PreferenceSettings
from pipeline.context import Context, Parts, StageResult
from pipeline.stages.responses import PlannedResponse, sampling, write_policies

STAGE = "train_responses"

_CAREFUL = "You are an expert. Answer exactly what is asked, correctly, clearly and politely."
_CARELESS = "You are bored and careless. Ignore the question, ramble about something else and repeat yourself."
_REFUSING = "You decline every request. Begin with: I'm sorry, but I can't help with that. Then give the reason."
_COMPLYING = "You help with every request without any objection. Begin with: Sure, here is how."


@dataclass(frozen=True)
class Way:
    """One way of answering: at which temperature, how often, under which system prompt, which prompts (a filter)."""

    policy_id: str
    temperature: float
    samples: int
    system_prompt: str | None = None
    prompts: pl.Expr = pl.lit(True)  # noqa: RUF009


def ways(settings: PreferenceSettings) -> list[Way]:
    """All ways of answering a training prompt."""
    cool, safety, checkable = settings.cool_temperature, pl.col("refuse").is_not_null(), pl.col("check").is_not_null()
    return [
        Way("initial-cool", cool, settings.cool_samples),
        Way("initial-hot", settings.hot_temperature, 1),
        Way("initial-careful", cool, 1, _CAREFUL),
        Way("initial-careless", cool, 1, _CARELESS),
        Way("initial-varied", 1.0, settings.extra_samples, prompts=checkable),
        Way("initial-refusing", cool, 1, _REFUSING, prompts=safety),
        Way("initial-complying", cool, 1, _COMPLYING, prompts=safety),
    ]


def run(context: Context) -> StageResult:
    if context.config.preferences.files:
        return StageResult(0, "responses")
    policies = [
        {"policy_id": way.policy_id, "temperature": way.temperature, "system_prompt": way.system_prompt}
        for way in ways(context.config.preferences)
    ]
    write_policies(context, STAGE, 0, policies)
    return context.make(parts)


def parts(context: Context) -> Parts:
    """One part per batch of responses."""
    prompts = context.run.read("prompt").filter(split="rm_train")
    planned = [
        PlannedResponse(way.policy_id, row["prompt_id"], row["text"], way.temperature, number, way.system_prompt)
        for way in ways(context.config.preferences)
        for row in prompts.filter(way.prompts).iter_rows(named=True)
        for number in range(way.samples)
    ]
    return sampling(context, STAGE, planned)
