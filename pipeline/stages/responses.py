"""Responses that stages sample: what is planned, its rows in table `response`, and the sampling in parts.

A part is one batch of the sampler with its own seed. Made again, it gives the same responses, so a resumed run has the
rows of an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.context import Context, Parts
from warehouse.schema import ORIGINAL


@dataclass(frozen=True)
class PlannedResponse:
    """A response to sample: number `sample` of a policy to a prompt, original or paraphrased (`prompt_form`)."""

    policy_id: str
    prompt_id: str
    prompt: str
    temperature: float
    sample: int
    system_prompt: str | None = None
    prompt_form: str = ORIGINAL

    @property
    def response_id(self) -> str:
        """`<policy>|<prompt>|<sample>`, for paraphrases `<policy>|<prompt>|paraphrase|<sample>`."""
        form = [] if self.prompt_form == ORIGINAL else [self.prompt_form]
        return "|".join([self.policy_id, self.prompt_id, *form, str(self.sample)])

    def row(self, text: str, tokens: int, finished: bool) -> dict[str, Any]:
        """The row of table `response` once it is sampled."""
        return {
            "response_id": self.response_id,
            "prompt_id": self.prompt_id,
            "prompt_form": self.prompt_form,
            "policy_id": self.policy_id,
            "sample": self.sample,
            "text": text,
            "tokens": tokens,
            "finished": finished,
        }


def sampling(context: Context, stage: str, *groups: Sequence[PlannedResponse]) -> Parts:
    """Parts that sample the planned responses into table `response`, one batch each.

    Groups share no batch: a later group does not change the responses of an earlier one. Within a group, prompts of
    similar length share a batch.
    """
    run, size = context.run, context.config.policy.batch_responses
    batches: list[list[PlannedResponse]] = []
    for group in groups:
        ordered = sorted(group, key=lambda plan: (len(plan.system_prompt or "") + len(plan.prompt), plan.prompt_id))
        batches += [ordered[start : start + size] for start in range(0, len(ordered), size)]
    missing = {unit: len(batch) for unit, batch in enumerate(batches) if not run.has_part("response", stage, unit)}

    def make(unit: int) -> None:
        from pipeline.models.sampler import Request

        batch = batches[unit]
        requests = [Request(plan.prompt, plan.temperature, plan.system_prompt) for plan in batch]
        samples = context.sample(context.base_model, requests, context.seed(stage, unit))
        rows = [
            plan.row(sample.text, sample.tokens, sample.finished) for plan, sample in zip(batch, samples, strict=True)
        ]
        run.write_rows("response", stage, unit, rows)
        context.progress.advance(len(rows))

    return Parts(sum(map(len, batches)), "responses", missing, make, lambda: context.base_model)


def write_policies(context: Context, stage: str, unit: int | str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows of table `policy`; by default, the run's initial policy at its own temperature."""
    policy = context.config.policy
    default = {"optimizer": "none", "temperature": policy.temperature, "base_model": policy.model}
    context.run.write_rows("policy", stage, unit, [default | dict(row) for row in rows])


def endings(responses: pl.DataFrame) -> dict[str, float]:
    """`finished_share` and `mean_tokens` of a policy's responses, of which each prompt counts the same."""
    by_prompt = responses.group_by("prompt_id").agg(pl.col("finished").mean(), pl.col("tokens").mean())
    finished, tokens = by_prompt.select(pl.mean("finished", "tokens")).row(0)
    return {"finished_share": float(finished), "mean_tokens": float(tokens)}
