"""Sampling a list of responses in parts, so that a stopped stage goes on where it stood.

A part is one batch of the sampler with a seed of its own: made again, it is the same, so the rows of a resumed run are
those of an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.context import Context, Work


@dataclass(frozen=True)
class Wanted:
    """Responses to sample: `samples` of the policy `policy_id` for one prompt."""

    policy_id: str
    prompt_id: str
    prompt: str
    temperature: float
    samples: int
    system_prompt: str | None = None


def sample_responses(context: Context, stage: str, wanted: Sequence[Wanted]) -> Work:
    """Sample everything wanted and write it to table `response`, a part a batch."""
    run, progress, policy_settings = context.run, context.progress, context.config.policy
    ordered = sorted(wanted, key=lambda want: (len(want.system_prompt or "") + len(want.prompt), want.prompt_id))
    rows = [(want, number) for want in ordered for number in range(want.samples)]
    size = policy_settings.batch_responses
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    missing = [unit for unit in range(len(batches)) if not run.has_part("response", stage, unit)]
    if missing:
        from pipeline.models.sampler import Request, sample

        policy = context.base_model
    progress.plan(len(rows), "responses", len(rows) - sum(len(batches[unit]) for unit in missing))
    for unit in missing:
        requests = [Request(want.prompt, want.temperature, want.system_prompt) for want, _ in batches[unit]]
        samples = sample(policy, requests, policy_settings.max_new_tokens, context.seed(stage, unit))
        part = pl.DataFrame(
            [
                {
                    "response_id": f"{want.policy_id}|{want.prompt_id}|{number}",
                    "prompt_id": want.prompt_id,
                    "policy_id": want.policy_id,
                    "sample": number,
                    "text": made.text,
                    "tokens": made.tokens,
                    "finished": made.finished,
                }
                for (want, number), made in zip(batches[unit], samples, strict=True)
            ]
        )
        run.write_part("response", stage, unit, part)
        progress.advance(part.height)
    return Work(len(rows), "responses")


def policy_row(context: Context, policy_id: str, temperature: float, system_prompt: str | None = None) -> dict:
    """A row of table `policy` for the initial policy under one sampling setting."""
    return {
        "policy_id": policy_id,
        "optimizer": "none",
        "reward_model_id": None,
        "strength": None,
        "kl": 0.0 if policy_id == "initial" else None,
        "kl_estimator": None,
        "temperature": temperature,
        "system_prompt": system_prompt,
        "base_model": context.config.policy.model,
    }
