"""A checkpoint of a trained policy as rows: policy, new samples for the test prompts, their scores by all, values.

RL-test prompts are answered at every checkpoint, RM-test prompts only at the last one, as one more source of responses
for test sets. The KL from π_0 is that of the first RL-test samples, by k3; k1 of the same samples is in the training
curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.config import Algorithm, PPOSettings
from pipeline.context import Context
from pipeline.scoring.scorer import Scorer, part_of, unscored
from pipeline.stages.responses import PlannedResponse, write_policies

if TYPE_CHECKING:
    from pipeline.models.optimizers import TrainedPolicy
    from pipeline.models.rollout import Rollout

    _Batch = tuple[list[PlannedResponse], Rollout]  # what was planned and what was sampled for it, row for row

STAGE = "ppo"
_KL_SAMPLES = 2
"""Responses to a prompt whose KL is measured: more would take as long as sampling them and change little."""
_CHECKPOINT = 1_000_000
"""First number of the seeds of checkpoints; no step of training uses it."""


@dataclass(frozen=True)
class Job:
    """A policy to train: against which reward model, at which KL coefficient, by which algorithm, how manieth time.

    `suffix` marks those of a sweep.
    """

    reward_model_id: str
    kl_coefficient: float
    suffix: str
    algorithm: Algorithm = "ppo"
    repeat: int = 0

    @property
    def marks(self) -> str:
        """What distinguishes it from the first policy of its algorithm and reward model in ids."""
        return self.suffix + (f"-r{self.repeat}" if self.repeat else "")

    @property
    def ppo_id(self) -> str:
        return f"{self.algorithm}{self.marks}/{self.reward_model_id}"

    @property
    def unit(self) -> str:
        """Its name in file names."""
        prefix = "" if self.algorithm == "ppo" else f"{self.algorithm}-"
        return f"{prefix}{self.reward_model_id}{self.marks}"

    def policy_id(self, step: int) -> str:
        return f"{self.algorithm}-{step}{self.marks}/{self.reward_model_id}"

    def unit_at(self, step: int) -> str:
        """The name of a checkpoint in file names."""
        return f"{self.unit}-{step:05d}"


def jobs(settings: PPOSettings, reward_models: tuple[str, ...]) -> list[Job]:
    """What is trained, in this order: for each repeat every algorithm against its reward models; then the sweeps."""
    planned: list[Job] = []
    of_algorithms = {algorithm: settings.of(algorithm) for algorithm in settings.algorithms}
    for repeat in range(max(own.repeats for own in of_algorithms.values())):
        for algorithm, own in of_algorithms.items():
            names = (own.reward_models or reward_models) if repeat < own.repeats else ()
            penalty = 0.0 if algorithm == "sft" else own.kl_coefficient
            planned += [Job(name, penalty, "", algorithm, repeat) for name in names]
    for algorithm, own in of_algorithms.items():
        for coefficient in own.sweep if algorithm != "sft" else ():  # which has no penalty
            swept = own.sweep_reward_models or own.reward_models or reward_models
            planned += [Job(name, coefficient, f"-kl{coefficient:g}", algorithm) for name in swept]
    return planned


def checkpoint(
    context: Context, settings: PPOSettings, job: Job, policy: TrainedPolicy, scorer: Scorer
) -> dict[str, float]:
    """Write the current policy; returns KL by both estimators, mean tokens and finished share, for the curve."""
    step, size = policy.steps_done, context.config.policy.batch_responses
    planned = planned_responses(context, settings, job, step)
    batches: list[_Batch] = []
    for number, start in enumerate(range(0, len(planned), size)):
        batch = planned[start : start + size]
        prompts = [plan.prompt for plan in batch]
        batches.append((batch, policy.sample(prompts, policy.seed(_CHECKPOINT, step, number), deeper=True)))
    rl_test = set(context.run.read("prompt").filter(split="rl_test")["prompt_id"])
    figures = _figures(policy, batches, rl_test)
    responses = pl.DataFrame(
        [
            plan.row(text, tokens, finished) | {"prompt": plan.prompt}
            for batch, rollout in batches
            for plan, text, tokens, finished in zip(
                batch, rollout.texts, rollout.lengths_B.tolist(), rollout.finished_B.tolist(), strict=True
            )
        ]
    )
    scores = _scores(policy, scorer, [rollout for _, rollout in batches], responses)
    write_checkpoint(context, job, step, responses, scores, kl_nats=figures["test_kl_k3"])
    return figures


def planned_responses(context: Context, settings: PPOSettings, job: Job, step: int) -> list[PlannedResponse]:
    """The responses of a checkpoint."""
    prompts = context.run.read("prompt").sort("prompt_id")
    samples = {"rl_test": settings.test_samples, "rm_test": 1}
    if step < settings.steps:
        samples = {"rl_test": settings.checkpoint_samples or settings.test_samples}
    policy_id, temperature = job.policy_id(step), context.config.policy.temperature
    return [
        PlannedResponse(policy_id, row["prompt_id"], row["text"], temperature, number)
        for split, count in samples.items()
        for row in prompts.filter(split=split).iter_rows(named=True)
        for number in range(count)
    ]


def write_checkpoint(
    context: Context, job: Job, step: int, responses: pl.DataFrame, scores: pl.DataFrame, *, kl_nats: float
) -> None:
    """Write a checkpoint's rows: responses (with column `prompt`, its text), scores, values, and last the policy."""
    run, policy_id, unit = context.run, job.policy_id(step), job.unit_at(step)
    run.write_part("response", STAGE, unit, responses.drop("prompt"))
    run.write_part("score", STAGE, unit, scores)
    run.write_part("policy_value", STAGE, unit, _values(policy_id, scores, responses, run.read("prompt")))
    valued = responses.join(run.read("prompt").filter(split="rl_test").select("prompt_id"), on="prompt_id")
    row = {
        "policy_id": policy_id,
        "optimizer": job.algorithm,
        "reward_model_id": job.reward_model_id,
        "strength": float(step),
        "kl": kl_nats,
        "kl_estimator": "k3",
        "kl_coefficient": job.kl_coefficient,
        "repeat": job.repeat,
        "finished_share": valued["finished"].mean(),
        "mean_tokens": valued["tokens"].mean(),
    }
    write_policies(context, STAGE, unit, [row])


def score_by_new_reward_models(context: Context, jobs: Iterable[Job]) -> None:
    """Score the stored checkpoints by reward models that the run did not have when they were sampled."""
    settings, run = context.config.ppo, context.run
    assert settings is not None
    missing: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for job in jobs:
        for step in settings.of(job.algorithm).checkpoints:
            unit = job.unit_at(step)
            if run.has_part("policy", STAGE, unit):
                for group in unscored(context, STAGE, unit):
                    missing.setdefault(group, []).append((job.policy_id(step), unit))
    if not missing:
        return
    units = {unit for checkpoints in missing.values() for _, unit in checkpoints}
    context.progress.say(f"{len(units)} checkpoints are scored by the reward models that were added")
    scorer, prompts = Scorer(context), run.read("prompt")
    for group, checkpoints in missing.items():
        for policy_id, unit in checkpoints:
            responses = run.read_part("response", STAGE, unit).join(
                prompts.select("prompt_id", prompt="text"), on="prompt_id", maintain_order="left"
            )
            scores = scorer.only(group).rows(responses)
            part = part_of(context, STAGE, unit, group)
            run.write_part("policy_value", STAGE, part, _values(policy_id, scores, responses, prompts))
            run.write_part("score", STAGE, part, scores)  # last: it marks the unit as scored by the group


def _scores(policy: TrainedPolicy, scorer: Scorer, rollouts: list[Rollout], responses: pl.DataFrame) -> pl.DataFrame:
    """Rows of table `score`: from the trunk outputs of sampling where they are of the text, else the text is read."""
    has_outputs = pl.Series([same for rollout in rollouts for same in rollout.is_of_text(policy.language_model)])
    parts = []
    for group in scorer.groups:
        judges = scorer.only(group).judges(policy.layers)
        others = set(group).difference(judges)  # added ones, which read the text in their own way
        if others:
            parts.append(scorer.only(others).rows(responses))
        if judges:
            judged = [policy.scores(rollout, judges) for rollout in rollouts]
            scores = responses.select("response_id").with_columns(
                pl.Series(name, np.concatenate([of_rollout[name] for of_rollout in judged])) for name in judges
            )
            parts += [
                scores.filter(has_outputs).unpivot(
                    list(judges), index="response_id", variable_name="reward_model_id", value_name="score"
                ),
                scorer.only(judges).rows(responses.filter(~has_outputs)),
            ]
    return pl.concat(parts).sort("reward_model_id", "response_id")


def _values(policy_id: str, scores: pl.DataFrame, responses: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """Rows of table `policy_value`: the mean score of a policy's responses to each RL-test prompt."""
    return (
        scores.join(responses.select("response_id", "prompt_id"), on="response_id")
        .join(prompts.filter(split="rl_test").select("prompt_id"), on="prompt_id")
        .group_by("prompt_id", golden_id="reward_model_id")
        .agg(value=pl.col("score").cast(pl.Float64).mean())
        .with_columns(policy_id=pl.lit(policy_id))
        .sort("golden_id", "prompt_id")
    )


def _figures(policy: TrainedPolicy, batches: list[_Batch], prompt_ids: set[str]) -> dict[str, float]:
    """KL, length and finished share of the responses to these prompts, means over all; of KL over the first ones."""
    kl, lengths, finished = [], [], 0
    for batch, rollout in batches:
        rows = [row for row, plan in enumerate(batch) if plan.prompt_id in prompt_ids]
        if first := [row for row in rows if batch[row].sample < _KL_SAMPLES]:
            kl += list(zip(*(estimate_N.tolist() for estimate_N in policy.divergence(rollout, first)), strict=True))
        lengths += rollout.lengths_B[rows].tolist()
        finished += int(rollout.finished_B[rows].sum())
    k1, k3 = np.mean(kl, axis=0).tolist()
    return {
        "test_kl_k1": k1,
        "test_kl_k3": k3,
        "test_response_tokens": float(np.mean(lengths)),
        "test_finished_share": finished / len(lengths),
    }


def rollout_prompts(context: Context, texts: Sequence[str], settings: PPOSettings, step: int) -> list[str]:
    """The distinct prompts of a step, the same for every policy: the training prompts, shuffled again in each pass."""
    count = settings.batch_responses // settings.samples_per_prompt
    chosen = []
    for place in range(step * count, (step + 1) * count):
        turn, number = divmod(place, len(texts))
        chosen.append(texts[context.rng(STAGE, "prompts", turn).permutation(len(texts))[number]])
    return chosen
