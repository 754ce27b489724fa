"""What can be asked about optimised policies over all their strengths: values, divergences, lengths, how PPO went.

How long the responses of optimised policies are, at every strength of an optimiser.
"""

from __future__ import annotations

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.reads import INITIAL, Samples, best_of_n, chosen_kl_coefficient, policy_values, prompts, reward_models
from warehouse.reads.responses import response_tokens
from warehouse.schema import RL_ALGORITHMS
from warehouse.study.length_drift import best_of_n_tokens
from warehouse.study.matched_kl import strengths_read, values_at_kl
from warehouse.study.value_curves import ValueCurves


def policies(
    connection: duckdb.DuckDBPyConnection, run_id: str, optimizer: str, kl_coefficient: float | None = None
) -> pl.DataFrame:
    """Rows of table `policy` of an optimiser, by strength and reward model; of several penalties, one.

    `kl_coefficient` None is the default one (`reads.kl_coefficients`). Raises InvalidChoice for one that is not there.
    """
    penalty = chosen_kl_coefficient(connection, run_id, optimizer, kl_coefficient)
    return connection.execute(
        """
        SELECT * FROM policy
        WHERE run_id = ? AND optimizer = ? AND reward_model_id IS NOT NULL AND kl_coefficient IS NOT DISTINCT FROM ?
        ORDER BY strength, reward_model_id, policy_id
        """,
        [run_id, optimizer, penalty],
    ).pl()


def value_curves(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    optimizer: str,
    kl_coefficient: float | None = None,
    samples: Samples | None = None,
) -> ValueCurves:
    """Values of an optimiser's policies at all strengths that enough reward models have.

    Reward models without a policy at some strength (PPO that diverged) are left out; where fewer than two would be
    left, the strengths that all have are taken instead. Best-of-n whose values are not stored is computed from the
    scores, as in `reads.policy_values`. Raises InvalidChoice where there is nothing to compare.
    """
    models = reward_models(connection, run_id)["reward_model_id"].to_list()
    frame = policies(connection, run_id, optimizer, kl_coefficient)
    if frame.is_empty():
        raise InvalidChoice(f"run {run_id!r} has no policies of {optimizer!r}")
    kept, strengths = _complete(frame)
    frame = frame.filter(pl.col("reward_model_id").is_in(kept) & pl.col("strength").is_in(strengths))
    # policies and prompts by number: names beside every value would take longer than the values
    values = connection.execute(
        """
        WITH numbered AS (
            SELECT run_id, prompt_id, row_number() OVER (ORDER BY prompt_id) - 1 AS number FROM prompt WHERE run_id = ?
        )
        SELECT wanted.place, numbered.number, value
        FROM policy_value JOIN (SELECT unnest(?) AS policy_id, unnest(?) AS place) AS wanted USING (policy_id)
        JOIN numbered USING (run_id, prompt_id)
        WHERE run_id = ? AND list_contains(?, golden_id)
        ORDER BY wanted.place, golden_id, numbered.number
        """,
        [run_id, [INITIAL, *frame["policy_id"]], list(range(frame.height + 1)), run_id, kept],
    ).pl()
    initial, optimised = values.filter(place=0), values.filter(pl.col("place") > 0)
    S, M = len(strengths), len(kept)
    if optimised.is_empty() and optimizer == "bon":  # of an imported run, whose values follow from the scores
        values_SMMQ = best_of_n(connection, run_id, strengths, samples)
    else:
        initial = initial.filter(pl.col("number").is_in(optimised["number"].unique().implode()))
        values_SMMQ = optimised["value"].to_numpy()
    described = prompts(connection, run_id)[initial["number"].unique().sort().to_numpy()]
    Q = described.height
    if Q == 0 or initial.height != M * Q or values_SMMQ.size != S * M * M * Q or frame.height != S * M:
        raise InvalidChoice(f"run {run_id!r} lacks values of {optimizer!r} for some reward models or prompts")
    if values_SMMQ.ndim == 1:  # by strength, reward model, golden
        values_SMMQ = np.ascontiguousarray(values_SMMQ.reshape(S, M, M, Q).transpose(0, 2, 1, 3))
    return ValueCurves(
        optimizer=optimizer,
        strengths=tuple(strengths),
        kl_SM=frame["kl"].fill_null(0.0).to_numpy().reshape(S, M),
        kl_estimator=str(frame["kl_estimator"][0] or "none"),
        values=tuple(
            PolicyValues(
                initial_MQ=initial["value"].to_numpy().reshape(M, Q),
                optimised_MMQ=values_SMMQ[s],
                reward_models=tuple(kept),
                prompts=tuple(described["prompt_id"]),
                categories=tuple(described["category"]),
                subsets=tuple(described["subset"]),
            )
            for s in range(S)
        ),
        left_out=tuple(name for name in models if name not in kept),
    )


def policy_values_at_kl(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    optimizer: str,
    kl: float,
    kl_coefficient: float | None = None,
    samples: Samples | None = None,
) -> PolicyValues:
    """Values of an optimiser's policies where each has diverged from the initial policy by `kl` nats.

    Between strengths as in `measures.matched_kl`; a reward model whose policy never gets so far is marked in
    `optimised_M`. Raises InvalidChoice where the run has no such policies, or none gets so far.
    """
    frame = policies(connection, run_id, optimizer, kl_coefficient).drop_nulls("kl")
    if frame.is_empty():
        raise InvalidChoice(f"run {run_id!r} has no policies of {optimizer!r} whose KL is known")
    models = reward_models(connection, run_id)["reward_model_id"].to_list()
    strengths = frame["strength"].unique().sort().to_list()
    kl_SM = np.zeros((len(strengths), len(models)))
    there_SM = np.zeros(kl_SM.shape, dtype=bool)
    for strength, name, nats in frame.select("strength", "reward_model_id", "kl").iter_rows():
        place = strengths.index(strength), models.index(name)
        kl_SM[place], there_SM[place] = nats, True
    penalty = frame["kl_coefficient"][0]
    read = strengths_read(kl_SM, there_SM, kl)
    values = [policy_values(connection, run_id, optimizer, strengths[s], penalty, samples) for s in read]
    return values_at_kl(values, kl_SM[read], kl)


def kl_reach(connection: duckdb.DuckDBPyConnection, run_id: str, optimizer: str) -> tuple[float, float] | None:
    """How far an optimiser's policies get from the initial one, in nats: the least of them, and the farthest.

    None where no KL is known or none is above 0.
    """
    reached = (
        policies(connection, run_id, optimizer)
        .drop_nulls("kl")
        .group_by("reward_model_id")
        .agg(pl.col("kl").max())
        .filter(pl.col("kl") > 0)["kl"]
    )
    return None if reached.is_empty() else (float(reached.min()), float(reached.max()))  # type: ignore[arg-type]


def policy_tokens(
    connection: duckdb.DuckDBPyConnection, run_id: str, optimizer: str, kl_coefficient: float | None = None
) -> pl.DataFrame:
    """Mean length in tokens of the responses of an optimiser's policies: `reward_model, strength, prompt_id, tokens`.

    Policies without responses of their own (best-of-n) are not among them.
    """
    frame = policies(connection, run_id, optimizer, kl_coefficient)
    return connection.execute(
        """
        SELECT reward_model_id AS reward_model, strength, prompt_id, avg(tokens) AS tokens
        FROM response JOIN policy USING (run_id, policy_id)
        WHERE run_id = ? AND list_contains(?, policy_id) GROUP BY ALL ORDER BY ALL
        """,
        [run_id, frame["policy_id"].to_list()],
    ).pl()


def _complete(frame: pl.DataFrame) -> tuple[list[str], list[float]]:
    """The reward models and the strengths to compare."""
    strengths = frame["strength"].unique().sort()
    counted = frame.group_by("reward_model_id").agg(pl.col("strength").n_unique().alias("strengths"))
    kept = counted.filter(pl.col("strengths") == len(strengths))["reward_model_id"].sort().to_list()
    if len(kept) >= 2 or counted.height < 2:
        return kept, strengths.to_list()
    everyone = counted["reward_model_id"].sort().to_list()
    common = (
        frame.group_by("strength")
        .agg(pl.col("reward_model_id").n_unique().alias("models"))
        .filter(pl.col("models") == len(everyone))["strength"]
        .sort()
        .to_list()
    )
    return (everyone, common) if common else (kept, strengths.to_list())


def stopped_ppo(connection: duckdb.DuckDBPyConnection, run_id: str) -> pl.DataFrame:
    """Optimisations that went wrong: `ppo_id, reward_model_id, kl_coefficient, steps, steps_done, reason`, by id."""
    return connection.execute(
        """
        SELECT ppo_id, reward_model_id, kl_coefficient, steps, steps_done, reason FROM ppo_run
        WHERE run_id = ? AND state <> 'finished' ORDER BY ppo_id
        """,
        [run_id],
    ).pl()


def ppo_curves(connection: duckdb.DuckDBPyConnection, run_id: str) -> pl.DataFrame:
    """Figures recorded while policies were optimised step by step: `model_id, metric, step, value`, by all three.

    A `model_id` ends with the reward model that the policy was optimised against, behind a `/`.
    """
    return connection.execute(
        """
        SELECT model_id, metric, step, value FROM training_curve
        WHERE run_id = ? AND list_contains(?, regexp_extract(model_id, '^(.*?)(-kl[^/]*)?/', 1))
        ORDER BY model_id, metric, step
        """,
        [run_id, list(RL_ALGORITHMS)],
    ).pl()


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
