"""OpenRLHF's checkpoints, Hugging Face folders: which of them are whole, and how one becomes rows of the run.

OpenRLHF leaves `global_step{N}_hf` for every checkpoint, `final`, and states to resume from. The run's sampler samples
a checkpoint, and all reward models score the texts, as in `pipeline/stages/checkpoints.py`. Its KL from π_0 is that of
the sampled tokens, which both models read in the same batches. A sampler with its own engine (vLLM) reports the
log-probabilities it sampled with: their KL from the same weights read here shows whether it ran them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
from safetensors import SafetensorError, safe_open

from pipeline.context import Context
from pipeline.scoring.scorer import Scorer
from pipeline.stages.checkpoints import STAGE, Job, planned_responses, write_checkpoint

ROUNDING_NATS = 0.05
"""A token, between two engines' bfloat16: five times what tests allow vLLM and transformers to differ by."""


def drop_broken_states(checkpoints: Path) -> None:
    """Remove the states to resume from if the newest is missing, as after a kill: OpenRLHF would fail on it.

    DeepSpeed writes the name of a state into `latest` once it is whole.
    """
    actor = checkpoints / "_actor"
    try:
        whole = (actor / (actor / "latest").read_text(encoding="utf-8").strip()).is_dir()
    except OSError:
        whole = False
    if not whole:
        for name in ("_actor", "_critic"):
            shutil.rmtree(checkpoints / name, ignore_errors=True)


def checkpoint_folder(checkpoints: Path, step: int, last_step: int) -> Path | None:
    """The whole Hugging Face folder of a step, or None; `final` is the last step's too."""
    folders = [checkpoints / f"global_step{step}_hf", *([checkpoints / "final"] if step == last_step else [])]
    return next((folder for folder in folders if is_whole(folder)), None)


def is_whole(folder: Path) -> bool:
    """Whether a model's folder is complete: a config, and safetensors as long as their headers say.

    OpenRLHF writes folders in place, so a kill leaves an incomplete one.
    """
    index = folder / "model.safetensors.index.json"
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if index.exists():
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        else:
            names = {"model.safetensors"}
        for name in names:
            with safe_open(folder / name, framework="numpy"):
                """Opening it checks that the file is as long as its header says."""
        return True
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return False


def checkpoint_of(context: Context, job: Job, step: int, folder: Path, scorer: Scorer) -> dict[str, float]:
    """Write the rows of the policy in the folder; returns its KL by both estimators and mean tokens, for the curve."""
    from pipeline.models.divergence import divergence
    from pipeline.models.language_model import load_fine_tuned
    from pipeline.models.sampler import Request

    reference = context.base_model
    policy = load_fine_tuned(folder, reference, context.config.threads)
    settings = context.config.ppo
    assert settings is not None
    planned = planned_responses(context, settings.of(job.algorithm), job, step)
    size = context.config.policy.batch_responses
    rows, all_samples = [], []
    for number, start in enumerate(range(0, len(planned), size)):
        batch = planned[start : start + size]
        requests = [Request(plan.prompt, plan.temperature) for plan in batch]
        samples = context.sample(policy, requests, context.seed(STAGE, job.policy_id(step), number), with_log_p=True)
        rows += [
            plan.row(sample.text, sample.tokens, sample.finished) | {"prompt": plan.prompt}
            for plan, sample in zip(batch, samples, strict=True)
        ]
        all_samples += samples
    context.close()  # frees a sampler that holds the checkpoint's weights
    responses = pl.DataFrame(rows)
    of_test = set(context.run.read("prompt").filter(split="rl_test")["prompt_id"])
    measured = [index for index, row in enumerate(rows) if row["prompt_id"] in of_test]
    prompts, sampled = [rows[index]["prompt"] for index in measured], [all_samples[index] for index in measured]
    kl = divergence(policy, reference, prompts, sampled, context.config.policy.temperature)
    tokens = np.mean([sample.tokens for sample in sampled])
    figures = {
        "test_kl_k1": float(kl.k1_N.mean()),
        "test_kl_k3": float(kl.k3_N.mean()),
        "test_response_tokens": float(tokens),
        "test_finished_share": float(np.mean([sample.finished for sample in sampled])),
    }
    if kl.sampler_N is not None:
        figures["test_sampler_kl_k3"] = sampler_kl = float(kl.sampler_N.mean())
        if sampler_kl > ROUNDING_NATS * tokens:
            context.progress.say(
                f"{job.policy_id(step)}: the sampler differs from the checkpoint by {sampler_kl:.2g} nats per "
                f"response, more than rounding ({ROUNDING_NATS:g} per token): it may have sampled from other weights"
            )
    write_checkpoint(context, job, step, responses, scorer.rows(responses), kl_nats=figures["test_kl_k3"])
    return figures
