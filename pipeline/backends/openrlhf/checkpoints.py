"""A checkpoint that was saved as a Hugging Face folder, as rows.

The counterpart of `pipeline/stages/checkpoints.py`'s own.

It answers by the run's sampler and is scored by all reward models from its texts; its KL from π_0 is of the tokens that
were sampled, both models reading them in the same batches. A sampler that runs the weights by an engine of its own
(vLLM) says what it sampled from: the KL of that from the weights as they are read here tells whether it ran them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from pipeline.context import Context
from pipeline.scoring.scorer import Scorer
from pipeline.stages.checkpoints import STAGE, Job, wanted_of, write

ROUNDING_NATS = 0.05
"""A token, between two engines' bfloat16: five times what tests allow vLLM and transformers to differ by."""


def checkpoint_of(context: Context, job: Job, step: int, folder: Path, scorer: Scorer) -> dict[str, float]:
    """Write the policy in the folder; returns its KL by both estimators and its mean tokens, for the curve."""
    from pipeline.models.divergence import divergence
    from pipeline.models.language_model import load_fine_tuned
    from pipeline.models.sampler import Request

    reference = context.base_model
    policy = load_fine_tuned(folder, reference, context.config.threads)
    wanted, size = wanted_of(context, job, step), context.config.policy.batch_responses
    rows, made = [], []
    for number, start in enumerate(range(0, len(wanted), size)):
        batch = wanted[start : start + size]
        requests = [Request(want.prompt, want.temperature) for want, _ in batch]
        samples = context.sample(policy, requests, context.seed(STAGE, job.policy_id(step), number), with_log_p=True)
        rows += [
            {**want.row(sample, one), "prompt": want.prompt} for (want, sample), one in zip(batch, samples, strict=True)
        ]
        made += samples
    context.close()  # of a sampler that holds the checkpoint's weights
    responses = pl.DataFrame(rows)
    of_test = set(context.run.read("prompt").filter(split="rl_test")["prompt_id"])
    measured = [number for number, row in enumerate(rows) if row["prompt_id"] in of_test]
    prompts, sampled = [rows[number]["prompt"] for number in measured], [made[number] for number in measured]
    far = divergence(policy, reference, prompts, sampled, context.config.policy.temperature)
    tokens = np.mean([sample.tokens for sample in sampled])
    seen = {
        "test_kl_k1": float(far.k1_N.mean()),
        "test_kl_k3": float(far.k3_N.mean()),
        "test_response_tokens": float(tokens),
    }
    if far.sampler_N is not None:
        seen["test_sampler_kl_k3"] = off = float(far.sampler_N.mean())
        if off > ROUNDING_NATS * tokens:
            context.progress.say(
                f"{job.policy_id(step)}: what was sampled from is {off:.2g} nats a response from the checkpoint, more "
                f"than the {ROUNDING_NATS:g} a token of rounding: its samples may be of other weights"
            )
    write(context, job, step, responses, scorer.rows(responses), seen["test_kl_k3"])
    return seen
