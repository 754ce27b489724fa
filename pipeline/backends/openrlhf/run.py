"""Stage 9 by OpenRLHF: a separate process trains each policy; the run samples and scores its checkpoints.

A policy is made in three steps: its process trains it, and its figures go into the curve; every complete checkpoint is
sampled and scored, by the run's engine; the last one is kept and the rest removed. A process that fails, hangs or
leaves no checkpoint ends only that policy: its row in `ppo_run` says why, and `righttree resume --retry` trains it
again. A stopped run resumes with the policy that it was training, from OpenRLHF's own last checkpoint; a policy whose
training ended is not trained again. A cluster that refuses a job is asked again; if it still refuses, the run stops, as
no policy is at fault.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.backends.openrlhf.checkpoints import (
    ENDED,
    TRAINING,
    checkpoint_folder,
    drop_broken_states,
    figures_of,
    parts,
)
from pipeline.backends.openrlhf.launch import Launch, Places, launch, train_ppo_arguments
from pipeline.backends.openrlhf.log import Diverged, Listener
from pipeline.backends.openrlhf.trainer import Hung, train
from pipeline.config import PPOSettings
from pipeline.context import Context, StageResult
from pipeline.errors import InvalidConfig, TrainingFailed
from pipeline.runs import RunDirectory
from pipeline.runs.live_curve import LiveCurve
from pipeline.runs.progress import OnlyLines
from pipeline.scoring.scorer import Scorer
from pipeline.scoring.texts import of_pairs
from pipeline.stages.checkpoints import STAGE, Job, rollout_prompts, score_by_new_reward_models

_TRIED_PAIRS = 50
"""Pairs on which the reward model that OpenRLHF gets is compared with the run's."""
_ASKED_AGAIN_AFTER_S = (10.0, 30.0, 60.0, 120.0)
"""How long to wait before a job is submitted again that the cluster did not accept."""
_UNIT = "steps of OpenRLHF"


def run(context: Context, settings: PPOSettings, todo: list[Job]) -> StageResult:
    """Train the missing policies one after the other: each uses all GPUs. Steps that a failed one lacks don't count."""
    steps_done = dict(context.run.read("ppo_run").select("ppo_id", "steps_done").iter_rows())
    steps = {job.ppo_id: steps_done.get(job.ppo_id, settings.of(job.algorithm).steps) for job in todo}
    missing = [job for job in todo if job.ppo_id not in steps_done]
    context.progress.plan(sum(steps.values()), _UNIT, sum(steps.values()) - sum(steps[job.ppo_id] for job in missing))
    if missing:
        openrlhf = launch()
        openrlhf.require_cpus(settings.openrlhf.gpus)
        for job in missing:
            steps[job.ppo_id] = _make(context, settings.of(job.algorithm), job, openrlhf)
    shutil.rmtree(context.run.work_path(STAGE, TRAINING), ignore_errors=True)
    score_by_new_reward_models(context, todo)
    return StageResult(sum(steps.values()), _UNIT)


@dataclass(frozen=True)
class Ended:
    """How a policy's training ended, and why if it did not finish."""

    state: str
    steps_done: int
    reason: str | None = None


def _make(context: Context, settings: PPOSettings, job: Job, openrlhf: Launch) -> int:
    """Make a policy and its rows; returns the steps that it was trained."""
    run, folder = context.run, context.run.work_path(STAGE, TRAINING, job.unit)
    curve = LiveCurve(run, job.ppo_id, job.unit)
    ended = _ended(folder)
    if ended is None:
        ended = _trained(context, settings, job, openrlhf, curve)
        run.write_json(folder / ENDED, asdict(ended))
    else:
        context.progress.advance(ended.steps_done)
    context.progress.drop(settings.steps - ended.steps_done)
    ended = _judged(context, settings, job, ended, curve)
    weights = _store_policy(run, settings, job) if ended.state == "finished" else None
    points = curve.frame().unique(["metric", "step"], keep="last", maintain_order=True)
    run.write_part("training_curve", STAGE, job.unit, points)
    first = {row["metric"]: row["value"] for row in points.filter(step=0).iter_rows(named=True)}
    row = {
        "ppo_id": job.ppo_id,
        "reward_model_id": job.reward_model_id,
        "kl_coefficient": job.kl_coefficient,
        "repeat": job.repeat,
        "trainable_layers": settings.trainable_layers,
        "seed": context.seed(STAGE, job.ppo_id) % 2**31,
        "steps": settings.steps,
        "steps_done": ended.steps_done,
        "state": ended.state,
        "reason": ended.reason,
        "reward_mean": first.get("reward"),
        "reward_std": first.get("reward_std"),
        "weights": None if weights is None else str(weights.relative_to(run.path)),
    }
    run.write_rows("ppo_run", STAGE, job.unit, [row])
    shutil.rmtree(folder, ignore_errors=True)
    curve.close()
    return ended.steps_done


def _ended(folder: Path) -> Ended | None:
    try:
        return Ended(**json.loads((folder / ENDED).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _trained(context: Context, settings: PPOSettings, job: Job, openrlhf: Launch, curve: LiveCurve) -> Ended:
    """Train a policy in OpenRLHF's process, from its last checkpoint if it was stopped."""
    from pipeline.models.language_model import model_source

    run, folder = context.run, context.run.work_path(STAGE, TRAINING, job.unit)
    reward = _reward_folder(context, job.reward_model_id)
    places = Places(
        actor=model_source(context.config.policy.model),
        reward=str(reward.absolute()),
        prompts=_prompts_file(context, settings, folder / "prompts.jsonl"),
        checkpoints=folder / "checkpoints",
        critic=str(reward.absolute()) if job.algorithm == "ppo" else None,
    )
    seed = context.seed(STAGE, job.ppo_id) % 2**31
    arguments = train_ppo_arguments(
        context.config, places, algorithm=job.algorithm, kl_coefficient=job.kl_coefficient, seed=seed
    )
    drop_broken_states(places.checkpoints, ("_actor", "_critic") if places.critic else ("_actor",))
    context.release()
    log = run.work_path(STAGE, f"{job.unit}.log")
    context.progress.say(f"{job.ppo_id}: OpenRLHF trains it; its log is {log}")
    try:
        state, reason, listener = train_policy(
            openrlhf,
            arguments,
            name=f"{run.run_id}-{job.unit}".replace("+", "p"),
            log=log,
            silence_limit_s=settings.openrlhf.silence_limit_s,
            new_listener=lambda: Listener(curve, context.progress, settings, job.kl_coefficient),
            say=context.progress.say,
        )
    except TrainingFailed as failed:
        raise TrainingFailed(f"{job.ppo_id}: {failed}, then `righttree resume {run.run_id}`") from failed
    context.progress.advance(listener.steps_done - listener.advanced)
    if reason:
        context.progress.say(f"{job.ppo_id}: {state}, {reason}; the others go on")
    return Ended(state, listener.steps_done, reason)


class Trained(NamedTuple):
    """How a training ended, why if it did not finish, and what was heard of it."""

    state: str
    reason: str | None
    listener: Listener


def train_policy(
    openrlhf: Launch,
    arguments: Sequence[str],
    *,
    name: str,
    log: Path,
    silence_limit_s: float,
    new_listener: Callable[[], Listener],
    say: Callable[[str], None],
) -> Trained:
    """Run OpenRLHF to its end. A job that the cluster does not accept is submitted again, under another name.

    Raises TrainingFailed if it is never accepted.
    """
    for pause_s in (*_ASKED_AGAIN_AFTER_S, None):
        listener = new_listener()
        command, at_end = openrlhf.command(arguments, f"{name}-{os.getpid()}-{time.time_ns()}")
        try:
            code = train(command, log, silence_limit_s, listener.line, environment=openrlhf.environment, at_end=at_end)
        except Hung as hung:
            return Trained("failed", f"OpenRLHF hung and was ended: {hung}; its last output is in {log.name}", listener)
        except Diverged as diverged:
            return Trained("diverged", str(diverged), listener)
        if not code:
            return Trained("finished", reason=None, listener=listener)
        if openrlhf.ray_address is None or listener.submitted:
            break
        if pause_s is None:
            raise TrainingFailed(
                f"Ray at {openrlhf.ray_address} accepted no job ({listener.last_words}): see to the cluster"
            )
        say(f"{name}: Ray did not accept the job, again in {pause_s:g} s: {listener.last_words}")
        time.sleep(pause_s)
    return Trained("failed", f"OpenRLHF ended with exit code {code}: {listener.last_words}", listener)


def _reward_folder(context: Context, reward_model_id: str) -> Path:
    """The reward model as a bfloat16 sequence classifier with a head `score`; written once, whole or not at all."""
    if context.config.reward_models.engine == "openrlhf":
        return context.run.work_path("reward_models", reward_model_id)
    folder = context.run.work_path(STAGE, TRAINING, "rewards", reward_model_id)
    if folder.exists():
        return folder
    from pipeline.models.sequence_classification import save

    texts = of_pairs(context.run.read("preference").head(_TRIED_PAIRS))
    reward_model = Scorer(context).reward_model(reward_model_id)

    def write(draft: Path) -> None:
        draft.mkdir()
        save(context.base_model, reward_model, draft, "bfloat16", texts)

    context.run.write_atomically(folder, write)
    return folder


def _prompts_file(context: Context, settings: PPOSettings, path: Path) -> Path:
    """JSONL with the prompts of all steps, one per line, without those that OpenRLHF would truncate.

    OpenRLHF shuffles them over all steps (`launch.py`). Raises InvalidConfig if none is short enough.
    """
    texts = context.run.read("prompt").filter(split="rm_train").sort("prompt_id")["text"].to_list()
    longest = settings.openrlhf.max_prompt_tokens
    short = [text for text in texts if len(context.base_model.prompt_ids(text)) <= longest]
    if not short:
        raise InvalidConfig(f"ppo.openrlhf.max_prompt_tokens is {longest}; every training prompt is longer: raise it")
    if len(short) < len(texts):
        context.progress.say(f"{len(texts) - len(short)} training prompts of more than {longest} tokens are left out")
    lines = [
        json.dumps({"prompt": text})
        for step in range(settings.steps)
        for text in rollout_prompts(context, short, settings, step)
    ]
    context.run.write_atomically(path, lambda file: file.write_text("\n".join(lines) + "\n", encoding="utf-8"))
    return path


def _judged(context: Context, settings: PPOSettings, job: Job, ended: Ended, curve: LiveCurve) -> Ended:
    """Sample and score the complete checkpoints that are not judged yet; a missing one makes the policy failed."""
    progress, context.progress = context.progress, OnlyLines(context.progress)  # the stage's units are steps
    try:
        context.make(parts)
    finally:
        context.progress = progress
    checkpoints = context.run.work_path(STAGE, TRAINING, job.unit, "checkpoints")
    for step in settings.checkpoints:
        if figures := figures_of(context.run, job, step):
            curve.add(step, figures)
        if ended.state == "finished" and checkpoint_folder(checkpoints, step, settings.steps) is None:
            ended = Ended("failed", ended.steps_done, f"OpenRLHF left no complete checkpoint of step {step}")
            context.progress.say(f"{job.ppo_id}: {ended.state}, {ended.reason}; the others go on")
    return ended


def _store_policy(run: RunDirectory, settings: PPOSettings, job: Job) -> Path:
    """Move the last checkpoint to its final place."""
    target = run.work_path(STAGE, job.unit)
    last = checkpoint_folder(run.work_path(STAGE, TRAINING, job.unit, "checkpoints"), settings.steps, settings.steps)
    if last is not None:
        shutil.rmtree(target, ignore_errors=True)
        last.rename(target)
    return target
