"""Stage 9: policies trained against reward models; the checkpoints of each are sampled and scored by all reward models.

Each algorithm of the profile trains a policy against each of its reward models, once for every repeat and for every KL
coefficient of a sweep. All that an algorithm trains see the same prompts in the same order. Those of the first repeat
start from the same rollout, which is π_0's: only the reward differs, and between repeats the draws. A part is one
policy. Its state is saved at every checkpoint, so that a stopped stage continues from the last one; its row in table
`ppo_run`, written last, says how it ended. A policy that diverges does not stop the others, and its checkpoints up to
then remain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from pipeline.backends.openrlhf import run as openrlhf_run
from pipeline.config import PPOSettings
from pipeline.context import Context, Parts, StageResult
from pipeline.runs.live_curve import LiveCurve
from pipeline.scoring.scorer import Scorer
from pipeline.stages import pool
from pipeline.stages.checkpoints import STAGE, Job, checkpoint, jobs, rollout_prompts, score_by_new_reward_models

if TYPE_CHECKING:
    from pipeline.models.optimizers import TrainedPolicy
    from pipeline.models.performance.prompt_states import PromptStates
    from pipeline.models.rollout import Rollout


def run(context: Context) -> StageResult:
    settings = context.config.ppo
    if settings is None:
        return StageResult(0, "steps of training")
    todo = jobs(settings, context.config.reward_models.trained_ids)
    if settings.engine == "openrlhf":
        return openrlhf_run.run(context, settings, todo)
    if any(job.algorithm == "sft" for job in todo):
        pool.make(context)
    done = context.make(parts)
    score_by_new_reward_models(context, todo)
    return done


def parts(context: Context) -> Parts:
    """One part per policy."""
    settings = context.config.ppo
    assert settings is not None
    todo = {job.unit: job for job in jobs(settings, context.config.reward_models.trained_ids)}
    steps = {unit: settings.of(job.algorithm).steps for unit, job in todo.items()}
    missing = [unit for unit in todo if not context.run.has_part("ppo_run", STAGE, unit)]
    shared = _Shared()

    @cache
    def scorer() -> Scorer:
        return Scorer(context)

    def make(unit: str) -> None:
        _optimise(context, settings.of(todo[unit].algorithm), todo[unit], scorer(), shared)

    return Parts(sum(steps.values()), "steps of training", {unit: steps[unit] for unit in missing}, make)


@dataclass
class _Shared:
    """What policies with the same trunk share: states of prompts, and of an algorithm the first rollout, π_0's."""

    states: dict[int, PromptStates] = field(default_factory=dict)
    first_rollouts: dict[tuple[int, str], Rollout] = field(default_factory=dict)


def _optimise(context: Context, settings: PPOSettings, job: Job, scorer: Scorer, shared: _Shared) -> None:
    from pipeline.models.optimizers import OPTIMIZERS
    from pipeline.models.optimizers.trained_policy import Diverged, load_tensors
    from pipeline.models.performance.prompt_states import PromptStates
    from pipeline.models.trunk import shared_layers

    run, seed = context.run, context.seed(STAGE, job.ppo_id)
    folder = run.work_path("ppo", job.unit)
    reward_model = scorer.reward_model(job.reward_model_id)
    layers = shared_layers(context.base_model, settings.trainable_layers, reward_model.trainable_layers)
    if layers not in shared.states:
        shared.states[layers] = PromptStates(context.base_model, layers, scorer.deeper(layers))
    policy = OPTIMIZERS[job.algorithm](
        context.base_model,
        reward_model,
        settings,
        kl_coefficient=job.kl_coefficient,
        temperature=context.config.policy.temperature,
        max_new_tokens=context.config.policy.max_new_tokens,
        seed=seed,
        states=shared.states[layers],
    )
    curve = LiveCurve(run, job.ppo_id, job.unit)
    saved_state = folder / "state.safetensors"
    state = load_tensors(saved_state)
    if state is not None:
        policy.restore(state)
    curve.begin(policy.steps_done)
    context.progress.advance(policy.steps_done)
    reason, texts = None, run.read("prompt").filter(split="rm_train").sort("prompt_id")["text"].to_list()
    pool_responses = pool.best(context, settings, job, policy) if policy.takes_pool else None
    try:
        for step in range(policy.steps_done, settings.steps):
            distinct = rollout_prompts(context, texts, settings, step)
            prompts = [text for text in distinct for _ in range(settings.samples_per_prompt)]
            rollout = pool_responses or (_first_rollout(context, job, policy, prompts, shared) if step == 0 else None)
            curve.add(step, policy.step(prompts, rollout))
            context.progress.advance()
            if policy.steps_done in settings.checkpoints:
                curve.add(policy.steps_done, checkpoint(context, settings, job, policy, scorer))
                if policy.steps_done < settings.steps:
                    run.write_atomically(saved_state, policy.save_state)
    except Diverged as diverged:
        reason = str(diverged)
        context.progress.say(f"{job.ppo_id}: diverged, {reason}; the others continue")
        context.progress.advance(settings.steps - policy.steps_done)
    else:
        run.write_atomically(folder / "policy.safetensors", policy.save_policy)
    run.write_part("training_curve", STAGE, job.unit, curve.frame())
    row = {
        "ppo_id": job.ppo_id,
        "reward_model_id": job.reward_model_id,
        "kl_coefficient": job.kl_coefficient,
        "repeat": job.repeat,
        "trainable_layers": settings.trainable_layers,
        "seed": seed,
        "steps": settings.steps,
        "steps_done": policy.steps_done,
        "state": "finished" if reason is None else "diverged",
        "reason": reason,
        "reward_mean": policy.reward_mean,
        "reward_std": policy.reward_std,
        "weights": None if reason else str((folder / "policy.safetensors").relative_to(run.path)),
    }
    run.write_rows("ppo_run", STAGE, job.unit, [row])
    saved_state.unlink(missing_ok=True)
    curve.close()


def _first_rollout(
    context: Context, job: Job, policy: TrainedPolicy, prompts: list[str], shared: _Shared
) -> Rollout | None:
    """The rollout of π_0 that an algorithm's policies of the first repeat share; later repeats sample their own."""
    if job.repeat:
        return None
    key = policy.layers, job.algorithm
    if key not in shared.first_rollouts:
        shared.first_rollouts[key] = policy.sample(prompts, context.seed(STAGE, "first rollout"))
    return shared.first_rollouts[key]
