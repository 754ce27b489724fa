"""Which prompts a step of optimisation learns from: the same for every policy of a run."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.checkpoints import STAGE
from pipeline.config import PPOSettings
from pipeline.context import Context


def rollout_prompts(context: Context, texts: Sequence[str], settings: PPOSettings, step: int) -> list[str]:
    """The prompts of a step, each once: the training prompts over and over, in another order each time."""
    count = settings.batch_responses // settings.samples_per_prompt
    chosen = []
    for place in range(step * count, (step + 1) * count):
        turn, number = divmod(place, len(texts))
        chosen.append(texts[context.rng(STAGE, "prompts", turn).permutation(len(texts))[number]])
    return chosen
