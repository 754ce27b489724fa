"""A PPO checkpoint as rows: the policy, its fresh samples on the test prompts, all reward models' scores, its values.

RL-test prompts are sampled at every checkpoint, RM-test prompts at the last one only: there they are one more source of
responses for test sets. The KL from π_0 is that of the RL-test samples themselves, by k3; k1 of the same samples is in
the training curve.

Which prompts a step of optimisation learns from: the same for every policy of a run.
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
from pipeline.stages.sampling import Wanted

if TYPE_CHECKING:
    from pipeline.models.ppo import PPO
    from pipeline.models.rollout import Rollout

    _Sampled = tuple[list[tuple[Wanted, int]], Rollout]  # what was wanted and what was sampled for it, row for row

STAGE = "ppo"
_CHECKPOINT = 1_000_000
"""What its seeds begin with: no step of training has them."""


@dataclass(frozen=True)
class Job:
    """One policy to optimise: against which reward model, at which KL coefficient. `suffix` tells a sweep's apart."""

    reward_model_id: str
    kl_coefficient: float
    suffix: str
    algorithm: Algorithm = "ppo"

    @property
    def ppo_id(self) -> str:
        return f"{self.algorithm}{self.suffix}/{self.reward_model_id}"

    @property
    def unit(self) -> str:
        """Its name in names of files."""
        of = "" if self.algorithm == "ppo" else f"{self.algorithm}-"
        return f"{of}{self.reward_model_id}{self.suffix}"

    def policy_id(self, step: int) -> str:
        return f"{self.algorithm}-{step}{self.suffix}/{self.reward_model_id}"

    def unit_at(self, step: int) -> str:
        """Name of a checkpoint in names of files."""
        return f"{self.unit}-{step:05d}"


def checkpoint(context: Context, job: Job, ppo: PPO, scorer: Scorer) -> dict[str, float]:
    """Write the policy as it stands; returns its KL by both estimators and its mean tokens, for the curve."""
    step = ppo.steps_done
    sampled = _sampled(context, ppo, wanted_of(context, job, step))
    measured = set(context.run.read("prompt").filter(split="rl_test")["prompt_id"])
    seen = _measured(ppo, sampled, measured)
    responses = pl.concat([_rows(batch, rollout) for batch, rollout in sampled])
    write(context, job, step, responses, _scores(ppo, scorer, sampled, responses), seen["test_kl_k3"])
    return seen


def wanted_of(context: Context, job: Job, step: int) -> list[tuple[Wanted, int]]:
    """The responses that a checkpoint gives, each with the number of its sample."""
    prompts = context.run.read("prompt").sort("prompt_id")
    policy_id, temperature = job.policy_id(step), context.config.policy.temperature
    return [
        (Wanted(policy_id, row["prompt_id"], row["text"], temperature, samples), number)
        for split, samples in _samples(context, step).items()
        for row in prompts.filter(split=split).iter_rows(named=True)
        for number in range(samples)
    ]


def write(context: Context, job: Job, step: int, responses: pl.DataFrame, scores: pl.DataFrame, kl_nats: float) -> None:
    """Write a checkpoint's rows: what it answered (with column `prompt`, its text), scores of that, values, and last
    the policy."""
    run, policy_id, unit = context.run, job.policy_id(step), job.unit_at(step)
    run.write_part("response", STAGE, unit, responses.drop("prompt"))
    run.write_part("score", STAGE, unit, scores)
    run.write_part("policy_value", STAGE, unit, _values(policy_id, scores, responses, run.read("prompt")))
    row = {
        "policy_id": policy_id,
        "optimizer": job.algorithm,
        "reward_model_id": job.reward_model_id,
        "strength": float(step),
        "kl": kl_nats,
        "kl_estimator": "k3",
        "kl_coefficient": job.kl_coefficient,
        "temperature": context.config.policy.temperature,
        "system_prompt": None,
        "base_model": context.config.policy.model,
    }
    run.write_part("policy", STAGE, unit, pl.DataFrame([row], infer_schema_length=None))


def complete(context: Context, todo: Iterable[Job]) -> None:
    """Judge the checkpoints that are there by the reward models that the run did not have when they were sampled."""
    settings, run = context.config.ppo, context.run
    assert settings is not None
    units = [(job, step, job.unit_at(step)) for job in todo for step in settings.checkpoints]
    there = [(job.policy_id(step), unit) for job, step, unit in units if run.has_part("policy", STAGE, unit)]
    missing: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for policy_id, unit in there:
        for group in unscored(context, STAGE, unit):
            missing.setdefault(group, []).append((policy_id, unit))
    if not missing:
        return
    lacking = {unit for checkpoints in missing.values() for _, unit in checkpoints}
    context.progress.say(f"{len(lacking)} checkpoints are scored by the reward models that were added")
    scorer, prompts = Scorer(context), run.read("prompt")
    for group, checkpoints in missing.items():
        for policy_id, unit in checkpoints:
            responses = run.read_part("response", STAGE, unit).join(
                prompts.select("prompt_id", prompt="text"), on="prompt_id", maintain_order="left"
            )
            scores = scorer.only(group).rows(responses)
            part = part_of(context, STAGE, unit, group)
            run.write_part("policy_value", STAGE, part, _values(policy_id, scores, responses, prompts))
            run.write_part("score", STAGE, part, scores)  # last: it is what says that the group is done with the unit


def _scores(ppo: PPO, scorer: Scorer, sampled: list[_Sampled], responses: pl.DataFrame) -> pl.DataFrame:
    """Rows of table `score`: from what the trunk saw while sampling where it saw the text, else the text is read."""
    saw_text = pl.Series([saw for _, rollout in sampled for saw in rollout.is_of_text(ppo.language_model)])
    parts = []
    for group in scorer.groups:
        judges = scorer.only(group).judges(ppo.layers)
        others = set(group).difference(judges)  # added ones, which have a way of their own to read a text
        if others:
            parts.append(scorer.only(others).rows(responses))
        if judges:
            seen = [ppo.scores(rollout, judges) for _, rollout in sampled]
            judged = responses.select("response_id").with_columns(
                pl.Series(name, np.concatenate([of_rollout[name] for of_rollout in seen])) for name in judges
            )
            parts += [
                judged.filter(saw_text).unpivot(
                    list(judges), index="response_id", variable_name="reward_model_id", value_name="score"
                ),
                scorer.only(judges).rows(responses.filter(~saw_text)),
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


def _samples(context: Context, step: int) -> dict[str, int]:
    settings = context.config.ppo
    assert settings is not None
    return {"rl_test": settings.test_samples} | ({"rm_test": 1} if step == settings.steps else {})


def _sampled(context: Context, ppo: PPO, wanted: list[tuple[Wanted, int]]) -> list[_Sampled]:
    size = context.config.policy.batch_responses
    batches = [wanted[start : start + size] for start in range(0, len(wanted), size)]
    return [
        (
            batch,
            ppo.sample([want.prompt for want, _ in batch], ppo.seed(_CHECKPOINT, ppo.steps_done, number), deeper=True),
        )
        for number, batch in enumerate(batches)
    ]


def _rows(batch: list[tuple[Wanted, int]], rollout: Rollout) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "response_id": [want.response_id(number) for want, number in batch],
            "prompt_id": [want.prompt_id for want, _ in batch],
            "prompt_form": [want.prompt_form for want, _ in batch],
            "policy_id": [want.policy_id for want, _ in batch],
            "sample": [number for _, number in batch],
            "text": list(rollout.texts),
            "tokens": rollout.lengths_B.tolist(),
            "finished": rollout.finished_B.tolist(),
            "prompt": [want.prompt for want, _ in batch],
        }
    )


def _measured(ppo: PPO, sampled: list[_Sampled], prompt_ids: set[str]) -> dict[str, float]:
    """KL and length of the responses to these prompts, means over all of them."""
    k1, k3, lengths = 0.0, 0.0, []
    for batch, rollout in sampled:
        rows = [row for row, (want, _) in enumerate(batch) if want.prompt_id in prompt_ids]
        if rows:
            k1_N, k3_N = ppo.divergence(rollout, rows)
            k1, k3 = k1 + float(k1_N.sum()), k3 + float(k3_N.sum())
            lengths += rollout.lengths_B[rows].tolist()
    count = len(lengths)
    return {"test_kl_k1": k1 / count, "test_kl_k3": k3 / count, "test_response_tokens": sum(lengths) / count}


def rollout_prompts(context: Context, texts: Sequence[str], settings: PPOSettings, step: int) -> list[str]:
    """The prompts of a step, each once: the training prompts over and over, in another order each time."""
    count = settings.batch_responses // settings.samples_per_prompt
    chosen = []
    for place in range(step * count, (step + 1) * count):
        turn, number = divmod(place, len(texts))
        chosen.append(texts[context.rng(STAGE, "prompts", turn).permutation(len(texts))[number]])
    return chosen
