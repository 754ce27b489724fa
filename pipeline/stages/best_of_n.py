"""Stage 8: what best-of-n against each reward model is worth to each golden one, prompt by prompt, exactly.

METHOD: expected golden score of the proxy's best among n of the N samples; no Monte Carlo. The KL from the initial
policy is the known upper bound log n − (n − 1)/n. There are strengths × reward models² × prompts values: if that is too
many to store, the reads compute them from the scores.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.context import Context, StageResult
from pipeline.stages.responses import write_policies
from warehouse.metrics.best_of_n import best_of_n_kl_bound, best_of_n_values
from warehouse.schema import INITIAL

STAGE = "best_of_n"
MOST_VALUES = 20_000_000
"""Largest number of values of best-of-n that a run stores; with more, none are stored."""


def run(context: Context) -> StageResult:
    strengths = context.config.best_of_n
    models, prompts, scores_MPN = score_cube(context)
    policies = [
        {
            "policy_id": f"bon-{n}/{model}",
            "optimizer": "bon",
            "reward_model_id": model,
            "strength": float(n),
            "kl": best_of_n_kl_bound(n),
            "kl_estimator": "bound",
        }
        for model, n in product(models, strengths)
    ]
    context.progress.plan(len(policies), "policies")
    parts = [value_rows(INITIAL, models, prompts, scores_MPN.mean(axis=2, dtype=np.float64))]
    if len(strengths) * len(models) ** 2 * len(prompts) <= MOST_VALUES:
        values_SMMP = best_of_n_values(scores_MPN, strengths)
        for (m, model), (s, n) in product(enumerate(models), enumerate(strengths)):
            parts.append(value_rows(f"bon-{n}/{model}", models, prompts, values_SMMP[s, :, m]))
    context.run.write_part("policy_value", STAGE, 0, pl.concat(parts))
    write_policies(context, STAGE, 0, policies)
    context.progress.advance(len(policies))
    return StageResult(len(policies), "policies")


class InitialScores(NamedTuple):
    """Ids of M reward models and P RL-test prompts, and scores `[M, P, N]` of N samples of the initial policy."""

    reward_models: list[str]
    prompts: list[str]
    scores_MPN: NDArray[np.float32]


def score_cube(context: Context) -> InitialScores:
    """The scores that the run has of the initial policy's samples."""
    prompts = context.run.read("prompt").filter(split="rl_test").select("prompt_id")
    responses = context.run.read("response", "test_responses").filter(policy_id=INITIAL).join(prompts, on="prompt_id")
    scores = (
        context.run.read("score")
        .join(responses.select("response_id", "prompt_id", "sample"), on="response_id")
        .sort("reward_model_id", "prompt_id", "sample")
    )
    models = scores["reward_model_id"].unique().sort().to_list()
    names = prompts["prompt_id"].sort().to_list()
    return InitialScores(models, names, scores["score"].to_numpy().reshape(len(models), len(names), -1))


def value_rows(policy_id: str, models: list[str], prompts: list[str], values_MP: NDArray[np.float64]) -> pl.DataFrame:
    """Rows of table `policy_value` of one policy, from its values `[M golden, P]`."""
    return pl.DataFrame(
        {
            "policy_id": [policy_id] * values_MP.size,
            "golden_id": np.repeat(models, len(prompts)),
            "prompt_id": prompts * len(models),
            "value": values_MP.ravel(),
        }
    )
