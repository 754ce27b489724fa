"""OpenRLHF's checkpoints, Hugging Face folders: which of them are whole, and how one becomes rows of the run.

OpenRLHF leaves `global_step{N}_hf` for every checkpoint, `final`, and states to resume from. The run's sampler samples
a checkpoint, and all reward models score the texts, as in `pipeline/stages/checkpoints.py`. A part is one checkpoint of
a policy whose training has ended, so that a cluster's GPUs do them in parallel. Its KL from π_0 is that of
the sampled tokens, which both models read in the same batches. A sampler with its own engine (vLLM) reports the
log-probabilities it sampled with: their KL from the same weights read here shows whether it ran them.
"""

from __future__ import annotations

import json
import shutil
import sys
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from safetensors import SafetensorError, safe_open

from pipeline.context import Context, Parts
from pipeline.runs import RunDirectory
from pipeline.scoring.scorer import Scorer
from pipeline.stages.checkpoints import STAGE, Job, jobs, planned_responses, write_checkpoint

TRAINING = ".training"
"""Folder of the policy that is being trained, in the stage's own."""
ENDED = "ended.json"
_NO_STEP = sys.maxsize
_VOCABULARIES = ("tokenizer.json", "*.model", "vocab*")
ROUNDING_NATS = 0.05
"""A token, between two engines' bfloat16: five times what tests allow vLLM and transformers to differ by."""


def drop_broken_states(checkpoints: Path, networks: tuple[str, ...] = ("_actor",)) -> None:
    """Go back to the newest step whose states of all networks and whose weights are whole; without one, to the start.

    Everything of later steps is removed: training does not repeat itself to the bit, and weights of the old attempt
    would pass for those of the new one.

    OpenRLHF saves a step's state, then its weights, of each network on its own. After a kill between these it would
    fail on a missing state, continue with a new critic or one of another step, or never write the step's weights.
    DeepSpeed writes the name of a state into `latest` once it is whole, and continues from the one named there.
    """
    steps = set.intersection(*(_states(checkpoints / name) for name in networks))
    whole = [step for step in steps if is_whole(checkpoints / f"global_step{step}_hf")]
    newest = max(whole, default=0)
    later = [path for path in checkpoints.glob("global_step*_hf") if _step(path.name.removesuffix("_hf")) > newest]
    for network in (checkpoints / name for name in networks) if whole else ():
        (network / "latest").write_text(f"global_step{newest}", encoding="utf-8")
        # it would count as one of the states that OpenRLHF keeps
        later += [state for state in network.glob("global_step*") if _step(state.name) > newest]
    if not whole:
        later += checkpoints.glob("_*")
    if later:  # weights of training that is done again, perhaps otherwise
        later += checkpoints.glob("final")
    for path in later:
        shutil.rmtree(path)


def _states(network: Path) -> set[int]:
    """The steps of a network's states, up to the newest that is whole."""
    try:
        newest = _step((network / "latest").read_text(encoding="utf-8"))
    except OSError:
        return set()
    return {step for folder in network.glob("global_step*") if (step := _step(folder.name)) <= newest < _NO_STEP}


def _step(name: str) -> int:
    """The step in a state's or a checkpoint's name; `_NO_STEP` for any other name."""
    number = name.strip().removeprefix("global_step")
    return int(number) if number.isdecimal() else _NO_STEP


def checkpoint_folder(checkpoints: Path, step: int, last_step: int) -> Path | None:
    """The whole Hugging Face folder of a step, or None; `final` is the last step's too."""
    folders = [checkpoints / f"global_step{step}_hf", *([checkpoints / "final"] if step == last_step else [])]
    return next((folder for folder in folders if is_whole(folder)), None)


def is_whole(folder: Path) -> bool:
    """Whether a model's folder is complete: safetensors as long as their headers say, JSON to its end, a vocabulary.

    OpenRLHF writes folders in place, the tokenizer last, so a kill leaves an incomplete one.
    """
    index = folder / "model.safetensors.index.json"
    try:
        for path in {folder / "config.json", *folder.glob("*.json")}:
            json.loads(path.read_text(encoding="utf-8"))
        if index.exists():
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        else:
            names = {"model.safetensors"}
        for name in names:
            with safe_open(folder / name, framework="numpy"):
                """Opening it checks that the file is as long as its header says."""
        return any(next(folder.glob(name), None) for name in _VOCABULARIES)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return False


def parts(context: Context) -> Parts:
    """One part per complete checkpoint, of the policies whose training has ended, that is not sampled and scored."""
    settings, run = context.config.ppo, context.run
    assert settings is not None
    todo: dict[str, tuple[Job, int, Path]] = {}
    for job in jobs(settings, context.config.reward_models.trained_ids):
        folder, own = run.work_path(STAGE, TRAINING, job.unit), settings.of(job.algorithm)
        for step in own.checkpoints if (folder / ENDED).exists() else ():
            weights = checkpoint_folder(folder / "checkpoints", step, own.steps)
            if weights is not None and not run.has_part("policy", STAGE, job.unit_at(step)):
                todo[job.unit_at(step)] = job, step, weights

    @cache
    def scorer() -> Scorer:
        return Scorer(context)

    def make(unit: str) -> None:
        job, step, weights = todo[unit]
        checkpoint_of(context, job, step, weights, scorer())
        context.progress.say(f"{job.policy_id(step)} is sampled and scored")
        context.progress.advance()

    return Parts(len(todo), "checkpoints", dict.fromkeys(todo, 1), make)


def figures_of(run: RunDirectory, job: Job, step: int) -> dict[str, float]:
    """What was measured of a checkpoint, for the curve; empty if it was not."""
    try:
        figures: dict[str, float] = json.loads(_figures_file(run, job, step).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return figures


def _figures_file(run: RunDirectory, job: Job, step: int) -> Path:
    return run.work_path(STAGE, TRAINING, job.unit, f"step-{step}.json")


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
    context.run.write_json(_figures_file(context.run, job, step), figures)
    write_checkpoint(context, job, step, responses, scorer.rows(responses), kl_nats=figures["test_kl_k3"])
    return figures
