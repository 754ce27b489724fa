"""How long the responses of optimised policies are, at every strength of an optimiser."""

from __future__ import annotations

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.measures.cube import ScoreCube
from warehouse.measures.length_drift import best_of_n_tokens
from warehouse.measures.value_curves import ValueCurves
from warehouse.reads_policies import policy_tokens
from warehouse.reads_responses import response_tokens


def tokens_along(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    curves: ValueCurves,
    samples: ScoreCube,
    kl_coefficient: float | None = None,
) -> NDArray[np.float64] | None:
    """Mean tokens `[S, M, Q]` of the policies that the curves are of; None where their responses were not kept.

    `samples` are the scores of the initial policy's responses to the RL-test prompts, of the curves' reward models.
    """
    if curves.optimizer == "bon":
        tokens_PN = response_tokens(connection, run_id, "rl_test")
        return best_of_n_tokens(samples.scores_MPR, tokens_PN, tuple(int(n) for n in curves.strengths))
    frame = policy_tokens(connection, run_id, curves.optimizer, kl_coefficient)
    rows = frame.filter(
        pl.col("reward_model").is_in(list(curves.reward_models))
        & pl.col("strength").is_in(list(curves.strengths))
        & pl.col("prompt_id").is_in(list(curves.values[0].prompts))
    ).sort("strength", "reward_model", "prompt_id")
    shape = (len(curves.strengths), len(curves.reward_models), len(curves.values[0].prompts))
    return rows["tokens"].to_numpy().reshape(shape) if rows.height == np.prod(shape) else None
