"""The pool of SFT: responses of π_0 to the training prompts, sampled and scored once for all reward models.

Part of stage 9. Its responses are those of policy `initial-pool`, with the run's own temperature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from pipeline.config import PPOSettings
from pipeline.context import Context, Parts
from pipeline.scoring import texts
from pipeline.stages.checkpoints import Job
from pipeline.stages.responses import PlannedResponse, sampling, write_policies
from pipeline.stages.scores import Batch, batches_of, scoring

if TYPE_CHECKING:
    from pipeline.models.optimizers import TrainedPolicy
    from pipeline.models.rollout import Rollout

POOL = "pool"
"""What its parts are named after."""
POLICY = "initial-pool"


def make(context: Context) -> None:
    """Sample and score what is missing of the pool."""
    write_policies(context, POOL, 0, [{"policy_id": POLICY}])
    context.make(_responses)
    context.make(_scores)


def _responses(context: Context) -> Parts:
    """One part per batch of responses."""
    settings, temperature = context.config.ppo, context.config.policy.temperature
    assert settings is not None
    planned = [
        PlannedResponse(POLICY, row["prompt_id"], row["text"], temperature, number)
        for row in context.run.read("prompt").filter(split="rm_train").iter_rows(named=True)
        for number in range(settings.of("sft").pool_responses * settings.of("sft").repeats)
    ]
    return sampling(context, POOL, planned)


def _scores(context: Context) -> Parts:
    """By the reward models that were trained: no policy is against the others."""
    batches = dict[int | str, Batch](enumerate(batches_of(texts.answered(context.run, POOL))))
    return scoring(context, POOL, batches, context.config.reward_models.trained_ids)


def best(context: Context, settings: PPOSettings, job: Job, policy: TrainedPolicy) -> Rollout:
    """The response to each training prompt that the job's reward model scores highest, as the policy reads it.

    Each repeat has its own responses of the pool, so that the seeds of SFT differ in what its policies learn from.
    """
    from pipeline.models.rollout import rollout_of_texts

    run = context.run
    scored = texts.answered(run, POOL).join(
        run.read("score", POOL).filter(reward_model_id=job.reward_model_id), on="response_id"
    )
    penalty = settings.truncation_penalty * pl.col("score").std()
    chosen = (
        scored.filter((pl.col("text") != "") & (pl.col("sample") // settings.pool_responses == job.repeat))
        .with_columns(rank=pl.col("score") - penalty * ~pl.col("finished"))
        .sort("prompt_id", "rank", "response_id", descending=[False, True, False])
        .unique("prompt_id", keep="first", maintain_order=True)
    )
    return rollout_of_texts(
        policy.language_model,
        policy.layers,
        list(chosen.select("prompt", "text").iter_rows()),
        chosen["finished"].to_list(),
    )
