"""Stage 8: what best-of-n and tilting by each reward model are worth to each golden one, prompt by prompt, exactly.

METHOD, "Optimisers": expectations over the stored samples of π_0; no training, no Monte Carlo. Both are on the prompts
whose samples allow them: n of them or more, or enough effective ones. The KL of best-of-n from the initial policy is
the known upper bound log n − (n − 1)/n, that of the tilted policy an estimate by its weights. There are strengths ×
reward models² × prompts values: if that is too many to store, the reads compute them from the scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.context import Context, StageResult
from pipeline.stages.responses import write_policies
from warehouse.metrics.cube import ScoreCube, best_of_n_of_cube, by_prompt
from warehouse.metrics.policies.best_of_n import best_of_n_kl_bound
from warehouse.metrics.policies.tilted import tilted_policies, tilted_values
from warehouse.schema import INITIAL, OTHER

STAGE = "best_of_n"
MOST_VALUES = 20_000_000
"""Largest number of values that a run stores of these optimisers; with more, none are stored."""


def run(context: Context) -> StageResult:
    sample = initial_sample(context)
    cube = sample.cube
    weighted = list(_best_of_n(cube, context.config.best_of_n)) + list(_tilted(cube))
    context.progress.plan(len(weighted) * len(cube.reward_models), "policies")
    stored = sum(len(each.prompts) for each in weighted) * len(cube.reward_models) ** 2 <= MOST_VALUES
    quantities_KPR = np.concatenate([cube.scores_MPR, sample.endings_2PR]) if stored else sample.endings_2PR
    initial_MP = cube.scores_MPR.sum(axis=2, dtype=np.float64) / cube.counts_P
    policies, values = [], [value_rows(INITIAL, cube, np.arange(len(cube.prompts)), initial_MP)]
    for each in weighted:
        expected_KMP = _expected(each, cube, quantities_KPR)
        for m, model in enumerate(cube.reward_models):
            finished, tokens = expected_KMP[-2:, m].mean(axis=1)
            policies.append(
                {
                    "policy_id": f"{each.optimizer}-{each.strength:g}/{model}",
                    "optimizer": each.optimizer,
                    "reward_model_id": model,
                    "strength": each.strength,
                    "kl": float(each.kl_M[m]),
                    "kl_estimator": "bound" if each.optimizer == "bon" else "weights",
                    "finished_share": float(np.clip(finished, 0.0, 1.0)),
                    "mean_tokens": float(tokens),
                }
            )
            if stored:
                values.append(value_rows(str(policies[-1]["policy_id"]), cube, each.prompts, expected_KMP[:-2, m]))
        context.progress.advance(len(cube.reward_models))
    context.run.write_part("policy_value", STAGE, 0, pl.concat(values))
    write_policies(context, STAGE, 0, policies)
    return StageResult(len(policies), "policies")


class _Weighted(NamedTuple):
    """One strength of an optimiser: the numbers of the prompts that it is defined on, and the KL `[M]` in nats."""

    optimizer: str
    strength: float
    prompts: NDArray[np.int64]
    kl_M: NDArray[np.float64]


def _best_of_n(cube: ScoreCube, strengths: tuple[int, ...]) -> Iterator[_Weighted]:
    for n in strengths:
        bound_M = np.full(len(cube.reward_models), best_of_n_kl_bound(n))
        yield _Weighted("bon", float(n), np.flatnonzero(cube.counts_P >= n), bound_M)


def _tilted(cube: ScoreCube) -> Iterator[_Weighted]:
    offered = tilted_policies(cube).offered()
    for strength, defined_P, kl_M in zip(offered.strengths, offered.defined_SP, offered.kl_SM, strict=True):
        yield _Weighted("tilted", strength, np.flatnonzero(defined_P), kl_M)


def _expected(policies: _Weighted, cube: ScoreCube, quantities_KPR: NDArray[np.float32]) -> NDArray[np.float64]:
    """Expectations `[K, M, prompts]` of the quantities under each reward model's policy."""
    if policies.optimizer == "bon":
        return best_of_n_of_cube(cube, [int(policies.strength)], policies.prompts, quantities_KPR)[0]
    return tilted_values(cube, [policies.strength], policies.prompts, quantities_KPR)[0]


class InitialSample(NamedTuple):
    """Scores of the initial policy's samples to the RL-test prompts, and of each whether it ended and its tokens."""

    cube: ScoreCube
    endings_2PR: NDArray[np.float32]


def initial_sample(context: Context) -> InitialSample:
    """The initial policy's samples to the RL-test prompts, of which each prompt may have another number."""
    prompts = context.run.read("prompt").filter(split="rl_test").select("prompt_id", "category", "subset")
    responses = (
        context.run.read("response", "test_responses")
        .filter(policy_id=INITIAL)
        .join(prompts.select("prompt_id"), on="prompt_id")
        .sort("prompt_id", "sample")
    )
    scores = (
        context.run.read("score")
        .join(responses.select("response_id", "prompt_id", "sample"), on="response_id")
        .sort("reward_model_id", "prompt_id", "sample")
    )
    models = scores["reward_model_id"].unique().sort().to_list()
    counted = responses.group_by("prompt_id").len().join(prompts, on="prompt_id").sort("prompt_id")
    counts_P = counted["len"].cast(pl.Int64).to_numpy()
    cube = ScoreCube(
        scores_MPR=by_prompt(scores["score"].to_numpy().reshape(len(models), -1), counts_P),
        reward_models=tuple(models),
        prompts=tuple(counted["prompt_id"]),
        categories=tuple(counted["category"].fill_null(OTHER)),
        subsets=tuple(counted["subset"].fill_null(OTHER)),
        responses_P=counts_P if len(np.unique(counts_P)) > 1 else None,
    )
    endings_2K = responses.select(pl.col("finished", "tokens").cast(pl.Float32)).to_numpy().T
    return InitialSample(cube, by_prompt(endings_2K, counts_P))


def value_rows(
    policy_id: str, cube: ScoreCube, prompts: NDArray[np.int64], values_MP: NDArray[np.float64]
) -> pl.DataFrame:
    """Rows of table `policy_value` of one policy, from its values `[M golden, prompts]`."""
    names = [cube.prompts[number] for number in prompts]
    return pl.DataFrame(
        {
            "policy_id": [policy_id] * values_MP.size,
            "golden_id": np.repeat(cube.reward_models, len(names)),
            "prompt_id": names * len(cube.reward_models),
            "value": values_MP.ravel(),
        }
    )
