"""Stage 9: PPO against every reward model, each policy by itself; fresh samples at its checkpoints, scored by all.

All policies see the same prompts in the same order, and begin with the same rollouts, which are π_0's: what tells them
apart is the reward. A unit is one policy: its state is kept at every checkpoint, so that a stopped stage goes on from
the last one, and its row in table `ppo_run`, written last, says how it ended. One that diverges says why and does not
stop the others; its checkpoints up to then stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import polars as pl

from pipeline.backends.openrlhf import run as openrlhf_run
from pipeline.config import PPOSettings
from pipeline.context import Context, Parts, StageResult
from pipeline.runs.live_curve import LiveCurve
from pipeline.scoring.scorer import Scorer
from pipeline.stages.checkpoints import STAGE, Job, checkpoint, complete, rollout_prompts

if TYPE_CHECKING:
    from pipeline.models.performance.prompt_states import PromptStates
    from pipeline.models.ppo import PPO
    from pipeline.models.rollout import Rollout


def run(context: Context) -> StageResult:
    settings = context.config.ppo
    if settings is None:
        return StageResult(0, "PPO steps")
    todo = jobs(settings, context.config.reward_models.trained_ids)
    if settings.engine == "openrlhf":
        return openrlhf_run.run(context, settings, todo)
    done = context.make(parts)
    complete(context, todo)
    return done


def parts(context: Context) -> Parts:
    """A policy each."""
    settings = context.config.ppo
    assert settings is not None
    todo = {job.unit: job for job in jobs(settings, context.config.reward_models.trained_ids)}
    missing = [unit for unit in todo if not context.run.has_part("ppo_run", STAGE, unit)]
    shared: dict[int, _Shared] = {}

    @cache
    def scorer() -> Scorer:
        return Scorer(context)

    def make(unit: str) -> None:
        _optimise(context, settings, todo[unit], scorer(), shared)

    return Parts(len(todo) * settings.steps, "PPO steps", dict.fromkeys(missing, settings.steps), make)


def jobs(settings: PPOSettings, reward_models: tuple[str, ...]) -> list[Job]:
    """By each algorithm every trained reward model at the profile's own KL coefficient, then the sweep's at others."""
    swept = settings.sweep_reward_models or reward_models
    return [
        job
        for algorithm in settings.algorithms
        for job in (
            *(Job(name, settings.kl_coefficient, "", algorithm) for name in reward_models),
            *(Job(name, c, f"-kl{c:g}", algorithm) for c in settings.sweep for name in swept),
        )
    ]


@dataclass
class _Shared:
    """What policies whose trunk is as deep have in common: states of prompts, and the first rollout, π_0's."""

    states: PromptStates
    first: Rollout | None = None

    def first_rollout(self, context: Context, ppo: PPO, prompts: list[str]) -> Rollout:
        """Sampled by the first policy that asks for it."""
        if self.first is None:
            self.first = ppo.sample(prompts, context.seed(STAGE, "first rollout"))
        return self.first


def _optimise(
    context: Context, settings: PPOSettings, job: Job, scorer: Scorer, all_shared: dict[int, _Shared]
) -> None:
    from pipeline.models.performance.prompt_states import PromptStates
    from pipeline.models.ppo import PPO, Diverged
    from pipeline.models.trunk import load_tensors, save_tensors, shared_layers

    run, seed = context.run, context.seed(STAGE, job.ppo_id)
    folder = run.work_path("ppo", job.unit)
    reward_model = scorer.reward_model(job.reward_model_id)
    layers = shared_layers(context.base_model, settings.trainable_layers, reward_model.trainable_layers)
    if layers not in all_shared:
        all_shared[layers] = _Shared(PromptStates(context.base_model, layers, scorer.deeper(layers)))
    shared = all_shared[layers]
    ppo = PPO(
        context.base_model,
        reward_model,
        settings,
        kl_coefficient=job.kl_coefficient,
        temperature=context.config.policy.temperature,
        max_new_tokens=context.config.policy.max_new_tokens,
        seed=seed,
        states=shared.states,
    )
    curve = LiveCurve(run, job.ppo_id, job.unit)
    kept = folder / "state.safetensors"
    state = load_tensors(kept)
    if state is not None:
        ppo.restore(state)
    curve.begin(ppo.steps_done)
    context.progress.advance(ppo.steps_done)
    reason = None
    try:
        for step in range(ppo.steps_done, settings.steps):
            prompts = _prompts(context, settings, step)
            rollout = None if step else shared.first_rollout(context, ppo, prompts)
            curve.add(step, ppo.step(prompts, rollout))
            context.progress.advance()
            if ppo.steps_done in settings.checkpoints:
                curve.add(ppo.steps_done, checkpoint(context, job, ppo, scorer))
                if ppo.steps_done < settings.steps:  # after the last one there is nothing to go on with
                    run.write_atomically(kept, partial(save_tensors, ppo.state()))
    except Diverged as diverged:
        reason = str(diverged)
        context.progress.say(f"{job.ppo_id}: diverged, {reason}; the others go on")
        context.progress.advance(settings.steps - ppo.steps_done)
    else:
        run.write_atomically(folder / "policy.safetensors", partial(save_tensors, ppo.policy_weights()))
    run.write_part("training_curve", STAGE, job.unit, curve.frame())
    row = {
        "ppo_id": job.ppo_id,
        "reward_model_id": job.reward_model_id,
        "kl_coefficient": job.kl_coefficient,
        "trainable_layers": settings.trainable_layers,
        "seed": seed,
        "steps": settings.steps,
        "steps_done": ppo.steps_done,
        "state": "finished" if reason is None else "diverged",
        "reason": reason,
        "reward_mean": ppo.reward_mean,
        "reward_std": ppo.reward_std,
        "weights": None if reason else str((folder / "policy.safetensors").relative_to(run.path)),
    }
    run.write_part("ppo_run", STAGE, job.unit, pl.DataFrame([row], infer_schema_length=None))
    kept.unlink(missing_ok=True)
    curve.close()


def _prompts(context: Context, settings: PPOSettings, step: int) -> list[str]:
    """The prompts of a step, several times each."""
    texts = context.run.read("prompt").filter(split="rm_train").sort("prompt_id")["text"].to_list()
    distinct = rollout_prompts(context, texts, settings, step)
    return [text for text in distinct for _ in range(settings.samples_per_prompt)]
