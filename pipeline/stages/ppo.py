"""Stage 9: PPO against every reward model; the checkpoints of each policy are sampled and scored by all reward models.

All policies see the same prompts in the same order and start from the same rollouts, which are π_0's: only the reward
differs. A part is one policy. Its state is saved at every checkpoint, so that a stopped stage continues from the last
one; its row in table `ppo_run`, written last, says how it ended. A policy that diverges does not stop the others, and
its checkpoints up to then remain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pipeline.backends.openrlhf import run as openrlhf_run
from pipeline.config import PPOSettings
from pipeline.context import Context, Parts, StageResult
from pipeline.runs.live_curve import LiveCurve
from pipeline.scoring.scorer import Scorer
from pipeline.stages.checkpoints import STAGE, Job, checkpoint, rollout_prompts, score_by_new_reward_models

if TYPE_CHECKING:
    from pipeline.models.performance.prompt_states import PromptStates
    from pipeline.models.rollout import Rollout


def run(context: Context) -> StageResult:
    settings = context.config.ppo
    if settings is None:
        return StageResult(0, "PPO steps")
    todo = jobs(settings, context.config.reward_models.trained_ids)
    if settings.engine == "openrlhf":
        return openrlhf_run.run(context, settings, todo)
    done = context.make(parts)
    score_by_new_reward_models(context, todo)
    return done


def parts(context: Context) -> Parts:
    """One part per policy."""
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
    """For each algorithm, every trained reward model at the profile's own KL coefficient, then those of the sweep."""
    planned: list[Job] = []
    for algorithm in settings.algorithms:
        planned += [Job(name, settings.kl_coefficient, "", algorithm) for name in reward_models]
        for coefficient in settings.sweep:
            swept = settings.sweep_reward_models or reward_models
            planned += [Job(name, coefficient, f"-kl{coefficient:g}", algorithm) for name in swept]
    return planned


@dataclass
class _Shared:
    """What policies with the same trunk share: the states of prompts, and the first rollout, which is π_0's."""

    states: PromptStates
    first_rollout: Rollout | None = None


def _optimise(
    context: Context, settings: PPOSettings, job: Job, scorer: Scorer, all_shared: dict[int, _Shared]
) -> None:
    from pipeline.models.performance.prompt_states import PromptStates
    from pipeline.models.ppo import PPO, Diverged, load_tensors
    from pipeline.models.trunk import shared_layers

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
    saved_state = folder / "state.safetensors"
    state = load_tensors(saved_state)
    if state is not None:
        ppo.restore(state)
    curve.begin(ppo.steps_done)
    context.progress.advance(ppo.steps_done)
    reason, texts = None, run.read("prompt").filter(split="rm_train").sort("prompt_id")["text"].to_list()
    try:
        for step in range(ppo.steps_done, settings.steps):
            distinct = rollout_prompts(context, texts, settings, step)
            prompts = [text for text in distinct for _ in range(settings.samples_per_prompt)]
            if step == 0 and shared.first_rollout is None:
                shared.first_rollout = ppo.sample(prompts, context.seed(STAGE, "first rollout"))
            curve.add(step, ppo.step(prompts, shared.first_rollout if step == 0 else None))
            context.progress.advance()
            if ppo.steps_done in settings.checkpoints:
                curve.add(ppo.steps_done, checkpoint(context, job, ppo, scorer))
                if ppo.steps_done < settings.steps:
                    run.write_atomically(saved_state, ppo.save_state)
    except Diverged as diverged:
        reason = str(diverged)
        context.progress.say(f"{job.ppo_id}: diverged, {reason}; the others continue")
        context.progress.advance(settings.steps - ppo.steps_done)
    else:
        run.write_atomically(folder / "policy.safetensors", ppo.save_policy)
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
    run.write_rows("ppo_run", STAGE, job.unit, [row])
    saved_state.unlink(missing_ok=True)
    curve.close()
