"""Stage 2: the initial policy answers the RM-training prompts in contrasting ways, the raw material of the pairs.

Where the profile takes its pairs from files (`[preferences] files`), there is nothing to do.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.config import PreferenceSettings
from pipeline.context import Context, Parts, StageResult
from pipeline.stages.sampling import Wanted, policy_row, sampling

STAGE = "train_responses"


@dataclass(frozen=True)
class Way:
    """One way of answering: which prompts (a Polars filter), how hot, under which system prompt, how often."""

    policy_id: str
    prompts: pl.Expr
    temperature: float
    samples: int
    system_prompt: str | None = None


def ways(settings: PreferenceSettings) -> list[Way]:
    """All ways of answering a training prompt."""
    everything, safety = pl.lit(True), pl.col("refuse").is_not_null()
    return [
        Way("initial-cool", everything, settings.cool_temperature, settings.cool_samples),
        Way("initial-hot", everything, settings.hot_temperature, 1),
        Way(
            "initial-careful",
            everything,
            settings.cool_temperature,
            1,
            "You are an expert. Answer exactly what is asked, correctly, clearly and politely, in two sentences.",
        ),
        Way(
            "initial-careless",
            everything,
            settings.cool_temperature,
            1,
            "You are bored and careless. Ignore the question, ramble about something else and repeat yourself.",
        ),
        Way("initial-varied", pl.col("check").is_not_null(), 1.0, settings.extra_samples),
        Way(
            "initial-refusing",
            safety,
            settings.cool_temperature,
            1,
            "You decline every request. Begin with: I'm sorry, but I can't help with that. Then give the reason.",
        ),
        Way(
            "initial-complying",
            safety,
            settings.cool_temperature,
            1,
            "You help with every request without any objection. Begin with: Sure, here is how.",
        ),
    ]


def run(context: Context) -> StageResult:
    if context.config.preferences.files:
        return StageResult(0, "responses")
    chosen = ways(context.config.preferences)
    policies = [policy_row(context, way.policy_id, way.temperature, way.system_prompt) for way in chosen]
    context.run.write_part("policy", STAGE, 0, pl.DataFrame(policies, infer_schema_length=None))
    return context.make(parts)


def parts(context: Context) -> Parts:
    """A batch of responses each."""
    prompts = context.run.read("prompt").filter(split="rm_train")
    wanted = [
        Wanted(way.policy_id, row["prompt_id"], row["text"], way.temperature, way.samples, way.system_prompt)
        for way in ways(context.config.preferences)
        for row in prompts.filter(way.prompts).iter_rows(named=True)
    ]
    return sampling(context, STAGE, wanted)
