"""A checkpoint that was saved as a Hugging Face folder, as rows: the counterpart of `pipeline/checkpoints.py`'s own.

It answers by the run's sampler and is scored by all reward models from its texts; its KL from π_0 is of the tokens that
were sampled, both models reading them in the same batches.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from pipeline.checkpoints import STAGE, Job, wanted_of, write
from pipeline.context import Context
from pipeline.scoring import Scorer


def checkpoint_of(context: Context, job: Job, step: int, folder: Path, scorer: Scorer) -> dict[str, float]:
    """Write the policy in the folder; returns its KL by both estimators and its mean tokens, for the curve."""
    from pipeline.models.divergence import divergence
    from pipeline.models.fine_tuned import load_fine_tuned
    from pipeline.models.sampler import Request

    reference = context.base_model
    policy = load_fine_tuned(folder, reference, context.config.threads)
    wanted, size = wanted_of(context, job, step), context.config.policy.batch_responses
    rows, ids = [], []
    for number, start in enumerate(range(0, len(wanted), size)):
        batch = wanted[start : start + size]
        requests = [Request(want.prompt, want.temperature) for want, _ in batch]
        samples = context.sample(policy, requests, context.seed(STAGE, job.policy_id(step), number))
        for (want, sample), made in zip(batch, samples, strict=True):
            rows.append({**want.row(sample, made), "prompt": want.prompt})
            ids.append(made.ids)
    context.close()  # of a sampler that holds the checkpoint's weights
    responses = pl.DataFrame(rows)
    of_test = set(context.run.read("prompt").filter(split="rl_test")["prompt_id"])
    measured = [number for number, row in enumerate(rows) if row["prompt_id"] in of_test]
    prompts, sampled = [rows[number]["prompt"] for number in measured], [ids[number] for number in measured]
    k1_N, k3_N = divergence(policy, reference, prompts, sampled, context.config.policy.temperature)
    seen = {
        "test_kl_k1": float(k1_N.mean()),
        "test_kl_k3": float(k3_N.mean()),
        "test_response_tokens": float(np.mean([len(tokens) for tokens in sampled])),
    }
    write(context, job, step, responses, scorer.rows(responses), seen["test_kl_k3"])
    return seen
