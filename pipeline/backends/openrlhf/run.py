"""Stage 9 by OpenRLHF: a separate process trains each policy; the run samples and scores its checkpoints.

A policy is made in three steps: its process trains it, and its figures go into the curve; every complete checkpoint is
sampled and scored; the last one is kept and the rest removed. A process that fails, hangs or leaves no checkpoint ends
only that policy: its row in `ppo_run` says why, and `righttree resume --retry` trains it again. A stopped run resumes
with the policy that it was training, from OpenRLHF's own last checkpoint; a policy whose training ended is not trained
again.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.backends.openrlhf.checkpoints import checkpoint_folder, checkpoint_of, drop_broken_states
from pipeline.backends.openrlhf.launch import Launch, Places, launch, train_ppo_arguments
from pipeline.backends.openrlhf.log import Diverged, Listener
from pipeline.backends.openrlhf.trainer import Hung, train
from pipeline.config import PPOSettings
from pipeline.context import Context, StageResult
from pipeline.errors import InvalidConfig
from pipeline.runs import RunDirectory
from pipeline.runs.live_curve import LiveCurve
from pipeline.scoring.scorer import Scorer
from pipeline.scoring.texts import of_pairs
from pipeline.stages.checkpoints import STAGE, Job, rollout_prompts, score_by_new_reward_models

TRAINING = ".training"
"""Folder of the policy that is being trained, in the stage's own."""
_ENDED = "ended.json"
_TRIED_PAIRS = 50
"""Pairs on which the reward model that OpenRLHF gets is compared with the run's."""
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "TOKENIZERS_PARALLELISM": "true"}


def run(context: Context, settings: PPOSettings, todo: list[Job]) -> StageResult:
    """Train the missing policies one after the other: each uses all GPUs."""
    missing = [job for job in todo if not context.run.has_part("ppo_run", STAGE, job.unit)]
    total, left = (sum(settings.of(job.algorithm).steps for job in jobs) for jobs in (todo, missing))
    context.progress.plan(total, "steps of OpenRLHF", total - left)
    if missing:
        openrlhf = launch()
        for job in missing:
            _make(context, settings.of(job.algorithm), job, openrlhf)
    shutil.rmtree(context.run.work_path(STAGE, TRAINING), ignore_errors=True)
    score_by_new_reward_models(context, todo)
    return StageResult(total, "steps of OpenRLHF")


@dataclass(frozen=True)
class Ended:
    """How a policy's training ended, and why if it did not finish."""

    state: str
    steps_done: int
    reason: str | None = None


def _make(context: Context, settings: PPOSettings, job: Job, openrlhf: Launch) -> None:
    run, folder = context.run, context.run.work_path(STAGE, TRAINING, job.unit)
    curve = LiveCurve(run, job.ppo_id, job.unit)
    ended = _ended(folder)
    if ended is None:
        ended = _trained(context, settings, job, openrlhf, curve)
        run.write_json(folder / _ENDED, asdict(ended))
    else:
        context.progress.advance(settings.steps)
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


def _ended(folder: Path) -> Ended | None:
    try:
        return Ended(**json.loads((folder / _ENDED).read_text(encoding="utf-8")))
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
    attempt = f"{run.run_id}-{job.unit}-{os.getpid()}".replace("+", "p")
    command, at_end = openrlhf.command(arguments, attempt)
    drop_broken_states(places.checkpoints)
    context.release()
    log = run.work_path(STAGE, f"{job.unit}.log")
    context.progress.say(f"{job.ppo_id}: OpenRLHF trains it; its log is {log}")
    listener = Listener(curve, context.progress, settings.steps)
    state, reason = "failed", None
    try:
        silence_limit_s = settings.openrlhf.silence_limit_s
        code = train(command, log, silence_limit_s, listener.line, environment=_ENVIRONMENT, at_end=at_end)
        if code == 0:
            state = "finished"
        else:
            reason = f"OpenRLHF ended with exit code {code}: {listener.last_words:.300}"
    except Hung as hung:
        reason = f"OpenRLHF hung and was ended: {hung}; its last output is in {log.name}"
    except Diverged as diverged:
        state, reason = "diverged", str(diverged)
    context.progress.advance(settings.steps - listener.advanced)
    if reason:
        context.progress.say(f"{job.ppo_id}: {state}, {reason}; the others go on")
    return Ended(state, listener.steps_done, reason)


def _reward_folder(context: Context, reward_model_id: str) -> Path:
    """The reward model as a bfloat16 sequence classifier with a head `score`; written once, whole or not at all."""
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
    """JSONL with one prompt per line, step after step, without those that OpenRLHF would truncate.

    Raises InvalidConfig if none is short enough.
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
    checkpoints = context.run.work_path(STAGE, TRAINING, job.unit, "checkpoints")
    scorer: Scorer | None = None
    for step in settings.checkpoints:
        folder = checkpoint_folder(checkpoints, step, settings.steps)
        if folder is None:
            if ended.state == "finished":
                ended = Ended("failed", ended.steps_done, f"OpenRLHF left no complete checkpoint of step {step}")
                context.progress.say(f"{job.ppo_id}: {ended.state}, {ended.reason}; the others go on")
            continue
        if context.run.has_part("policy", STAGE, job.unit_at(step)):
            continue
        scorer = scorer or Scorer(context)
        curve.add(step, checkpoint_of(context, job, step, folder, scorer))
        context.progress.say(f"{job.policy_id(step)} is sampled and scored")
    return ended


def _store_policy(run: RunDirectory, settings: PPOSettings, job: Job) -> Path:
    """Move the last checkpoint to its final place."""
    target = run.work_path(STAGE, job.unit)
    last = checkpoint_folder(run.work_path(STAGE, TRAINING, job.unit, "checkpoints"), settings.steps, settings.steps)
    if last is not None:
        shutil.rmtree(target, ignore_errors=True)
        last.rename(target)
    return target
