"""Stage 9 by OpenRLHF: a process of its own trains each policy, its checkpoints answer and are scored as our own PPO's.

A policy is made in three steps: its process trains it, which says in the curve how far it is; every checkpoint that it
left whole is sampled and scored; the last one is kept and the rest removed. A process that fails, hangs or leaves no
checkpoint ends that policy alone: its row in `ppo_run` says why, and `righttree resume --retry` makes it again. A
stopped run goes on with the policy that it was at, from OpenRLHF's own last checkpoint; what trained to its end is not
trained again.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from pipeline.backends.openrlhf.arguments import Places, train_ppo_arguments
from pipeline.backends.openrlhf.checkpoints import checkpoint_of
from pipeline.backends.openrlhf.files import checkpoint_folder, drop_broken_states, prompts_file, reward_folder
from pipeline.backends.openrlhf.launch import Launch, launch
from pipeline.backends.openrlhf.log import Step, error_in, plain, step_in
from pipeline.backends.openrlhf.trainer import Hung, train
from pipeline.config import PPOSettings
from pipeline.context import Context, StageResult
from pipeline.runs import RunDirectory
from pipeline.runs.live_curve import LiveCurve
from pipeline.scoring.scorer import Scorer
from pipeline.stages.checkpoints import STAGE, Job, complete

TRAINING = ".training"
"""Folder of what is being trained, in the stage's own."""
_ENDED = "ended.json"
_WATCHED = ("reward", "policy_loss", "value_loss")
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "TOKENIZERS_PARALLELISM": "true"}


def run(context: Context, settings: PPOSettings, todo: list[Job]) -> StageResult:
    """Make the policies that are missing, one after the other: each has all GPUs."""
    missing = [job for job in todo if not context.run.has_part("ppo_run", STAGE, job.unit)]
    total = len(todo) * settings.steps
    context.progress.plan(total, "steps of OpenRLHF", total - len(missing) * settings.steps)
    if missing:
        openrlhf = launch()
        for job in missing:
            _make(context, settings, job, openrlhf)
    shutil.rmtree(context.run.work_path(STAGE, TRAINING), ignore_errors=True)
    complete(context, todo)
    return StageResult(total, "steps of OpenRLHF")


@dataclass(frozen=True)
class Ended:
    """How a process ended: after so many steps, and why, if before its time."""

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
    weights = _kept(run, settings, job) if ended.state == "finished" else None
    points = curve.frame().unique(["metric", "step"], keep="last", maintain_order=True)
    run.write_part("training_curve", STAGE, job.unit, points)
    first = {row["metric"]: row["value"] for row in points.filter(step=0).iter_rows(named=True)}
    row = {
        "ppo_id": job.ppo_id,
        "reward_model_id": job.reward_model_id,
        "kl_coefficient": job.kl_coefficient,
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
    run.write_part("ppo_run", STAGE, job.unit, pl.DataFrame([row], infer_schema_length=None))
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
    reward = reward_folder(context, job.reward_model_id, run.work_path(STAGE, TRAINING, "rewards", job.reward_model_id))
    places = Places(
        actor=model_source(context.config.policy.model),
        reward=str(reward.absolute()),
        prompts=prompts_file(context, settings, folder / "prompts.jsonl"),
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
    context.progress.say(f"{job.ppo_id}: OpenRLHF trains it, its log is {log}")
    heard = _Heard(context, settings.steps, curve)
    try:
        code = train(
            command, log, settings.openrlhf.silence_limit_s, heard.line, environment=_ENVIRONMENT, at_end=at_end
        )
        ended = heard.ended(code)
    except Hung as hung:
        ended = Ended("failed", heard.steps, f"OpenRLHF hung and was ended: {hung}; {log.name} has its last words")
    except _Diverged as diverged:
        ended = Ended("diverged", heard.steps, str(diverged))
    context.progress.advance(settings.steps - heard.counted)
    if ended.reason:
        context.progress.say(f"{job.ppo_id}: {ended.state}, {ended.reason}; the others go on")
    return ended


class _Diverged(Exception):
    """A figure that is no number."""


@dataclass
class _Heard:
    """What a process has said: its steps go into the curve and the progress, its last errors are kept."""

    context: Context
    wanted: int
    curve: LiveCurve
    steps: int = 0
    counted: int = 0
    _begun: bool = False
    _error: str | None = None
    _last: str = "it printed nothing"

    def __post_init__(self) -> None:
        steps = self.curve.frame()["step"]
        self.steps = int(steps.max()) + 1 if len(steps) else 0  # type: ignore[arg-type]

    def line(self, text: str) -> None:
        step = step_in(text)
        if step is not None:
            self._add(step)
        elif plain(text):
            self._error = error_in(text) or self._error
            self._last = plain(text)

    def _add(self, step: Step) -> None:
        if not self._begun:
            self.curve.begin(step.number - 1)  # what a stopped process had said of this step and later ones
            self._begun = True
        finite = {name: value for name, value in step.figures.items() if math.isfinite(value)}
        self.curve.add(step.number - 1, finite)
        self.steps = step.number
        new = max(0, min(step.number, self.wanted) - self.counted)
        self.counted += new
        self.context.progress.advance(new)
        wrong = next((name for name in _WATCHED if name in step.figures and name not in finite), None)
        if wrong is not None:
            raise _Diverged(f"{wrong} is {step.figures[wrong]} in step {step.number}")

    def ended(self, code: int) -> Ended:
        if code == 0:
            return Ended("finished", self.steps)
        return Ended("failed", self.steps, f"OpenRLHF ended with exit code {code}: {self._error or self._last:.300}")


def _judged(context: Context, settings: PPOSettings, job: Job, ended: Ended, curve: LiveCurve) -> Ended:
    """Sample and score the checkpoints that are whole and not judged yet; of one that should be there, say so."""
    checkpoints = context.run.work_path(STAGE, TRAINING, job.unit, "checkpoints")
    scorer: Scorer | None = None
    for step in settings.checkpoints:
        folder = checkpoint_folder(checkpoints, step, settings.steps)
        if folder is None:
            if ended.state == "finished":
                ended = Ended("failed", ended.steps_done, f"OpenRLHF left no whole checkpoint of step {step}")
                context.progress.say(f"{job.ppo_id}: {ended.state}, {ended.reason}; the others go on")
            continue
        if context.run.has_part("policy", STAGE, job.unit_at(step)):
            continue
        scorer = scorer or Scorer(context)
        curve.add(step, checkpoint_of(context, job, step, folder, scorer))
        context.progress.say(f"{job.policy_id(step)} is sampled and scored")
    return ended


def _kept(run: RunDirectory, settings: PPOSettings, job: Job) -> Path:
    """Move the last policy to where it stays."""
    target = run.work_path(STAGE, job.unit)
    last = checkpoint_folder(run.work_path(STAGE, TRAINING, job.unit, "checkpoints"), settings.steps, settings.steps)
    if last is not None:
        shutil.rmtree(target, ignore_errors=True)
        last.rename(target)
    return target
