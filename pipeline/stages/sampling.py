"""Sampling a list of responses in parts, so that a stopped stage goes on where it stood.

A part is one batch of the sampler with a seed of its own: made again, it is the same, so the rows of a resumed run are
those of an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline.context import Context, Parts
from warehouse.schema import ORIGINAL

if TYPE_CHECKING:
    from pipeline.models.sampler import Sample


@dataclass(frozen=True)
class Wanted:
    """Responses to sample: `samples` of the policy `policy_id` for one prompt, in its own words or paraphrased.

    Their numbers begin with `first`.
    """

    policy_id: str
    prompt_id: str
    prompt: str
    temperature: float
    samples: int
    system_prompt: str | None = None
    prompt_form: str = ORIGINAL
    first: int = 0

    def response_id(self, number: int) -> str:
        """`<policy>|<prompt>|<sample>`, and of paraphrases `<policy>|<prompt>|paraphrase|<sample>`."""
        form = [] if self.prompt_form == ORIGINAL else [self.prompt_form]
        return "|".join([self.policy_id, self.prompt_id, *form, str(number)])

    def row(self, number: int, made: Sample) -> dict[str, Any]:
        """The row of table `response` of one that was sampled."""
        return {
            "response_id": self.response_id(number),
            "prompt_id": self.prompt_id,
            "prompt_form": self.prompt_form,
            "policy_id": self.policy_id,
            "sample": number,
            "text": made.text,
            "tokens": made.tokens,
            "finished": made.finished,
        }


def sampling(context: Context, stage: str, *groups: Sequence[Wanted]) -> Parts:
    """Sample everything wanted and write it to table `response`, a part a batch.

    Groups share no batch: what a later one wants does not change the responses of an earlier one.
    """
    run, progress = context.run, context.progress
    batches = [batch for group in groups for batch in _batches(group, context.config.policy.batch_responses)]
    total = sum(len(batch) for batch in batches)
    missing = {unit: len(batch) for unit, batch in enumerate(batches) if not run.has_part("response", stage, unit)}

    def make(unit: int) -> None:
        from pipeline.models.sampler import Request

        requests = [Request(want.prompt, want.temperature, want.system_prompt) for want, _ in batches[unit]]
        samples = context.sample(context.base_model, requests, context.seed(stage, unit))
        part = pl.DataFrame(
            [want.row(number, made) for (want, number), made in zip(batches[unit], samples, strict=True)]
        )
        run.write_part("response", stage, unit, part)
        progress.advance(part.height)

    return Parts(total, "responses", missing, make, lambda: context.base_model)


def _batches(wanted: Sequence[Wanted], size: int) -> list[list[tuple[Wanted, int]]]:
    """What is wanted with the number of each sample, in batches of prompts of like length."""
    ordered = sorted(wanted, key=lambda want: (len(want.system_prompt or "") + len(want.prompt), want.prompt_id))
    rows = [(want, number) for want in ordered for number in range(want.first, want.first + want.samples)]
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def policy_row(context: Context, policy_id: str, temperature: float, system_prompt: str | None = None) -> dict:
    """A row of table `policy` for the initial policy under one sampling setting."""
    return {
        "policy_id": policy_id,
        "optimizer": "none",
        "reward_model_id": None,
        "strength": None,
        "kl": 0.0 if policy_id == "initial" else None,
        "kl_estimator": None,
        "kl_coefficient": None,
        "temperature": temperature,
        "system_prompt": system_prompt,
        "base_model": context.config.policy.model,
    }
