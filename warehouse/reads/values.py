"""What optimised policies are worth to every golden reward model: at a strength, at a KL, or at all strengths.

Best-of-n whose values are not stored, as in an imported run, is computed from the scores of the RL-test responses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.best_of_n import best_of_n_values
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.reads import policies
from warehouse.reads.runs import prompts, reward_models
from warehouse.reads.scores import initial_scores
from warehouse.schema import INITIAL
from warehouse.store import Connection
from warehouse.study.curves.value_curves import ValueCurves, strengths_read, values_at_kl

Samples = Callable[[], ScoreCube]
"""Returns the scores of the RL-test responses, `scores.initial_scores`, from a cache; called only if needed."""


def policy_values(
    connection: Connection,
    run_id: str,
    optimizer: str,
    strength: float,
    kl_coefficient: float | None = None,
    *,
    samples: Samples | None = None,
) -> PolicyValues:
    """Per-prompt values of the initial policy `[M, Q]` and of an optimiser's policies at one strength `[M, M, Q]`.

    Both are float64. One KL penalty is read: `kl_coefficient`, or the default one (`policies.kl_coefficients`).
    A reward model without a policy at this strength (PPO that diverged) is marked in `optimised_M`. `samples` gives the
    scores from which best-of-n is computed; None: they are read here.

    Raises InvalidChoice if the run has no such policies.
    """
    penalty = policies.chosen_kl_coefficient(connection, run_id, optimizer, kl_coefficient)
    models = reward_models(connection, run_id)["reward_model_id"].to_list()
    frame = policies.of_optimizer(connection, run_id, optimizer, penalty).filter(strength=strength)
    if frame.is_empty():
        strengths = policies.strengths(connection, run_id, penalty)
        known = [f"{row['optimizer']} {row['strength']:g}" for row in strengths.to_dicts()]
        raise InvalidChoice(f"run {run_id!r} has no policies of {optimizer!r} at {strength:g}; it has {known}")
    stored = _stored_values(connection, run_id, frame, models, samples)
    optimised_M, optimised_MMQ = np.isin(models, stored.reward_models), stored.optimised_SMKQ[0]
    if not optimised_M.all():
        optimised_MMQ = np.repeat(stored.initial_MQ[:, None], len(models), axis=1)
        optimised_MMQ[:, optimised_M] = stored.optimised_SMKQ[0]
    return stored.policy_values(optimised_MMQ, models, None if optimised_M.all() else optimised_M)


def value_curves(
    connection: Connection,
    run_id: str,
    optimizer: str,
    kl_coefficient: float | None = None,
    *,
    samples: Samples | None = None,
) -> ValueCurves:
    """`policy_values` of an optimiser at all S strengths that enough reward models have, and their KL `[S, M]` in nats.

    Reward models without a policy at some strength (PPO that diverged) are left out; if fewer than two would be left,
    the strengths that all have are taken instead. Raises InvalidChoice if there is nothing to compare.
    """
    models = reward_models(connection, run_id)["reward_model_id"].to_list()
    frame = policies.of_optimizer(connection, run_id, optimizer, kl_coefficient)
    if frame.is_empty():
        raise InvalidChoice(f"run {run_id!r} has no policies of {optimizer!r}")
    complete, strengths = _complete(frame)
    frame = frame.filter(pl.col("reward_model_id").is_in(complete) & pl.col("strength").is_in(strengths))
    stored = _stored_values(connection, run_id, frame, complete, samples)
    if stored.optimised_SMKQ.shape[:3] != (len(strengths), len(complete), len(complete)):
        raise _incomplete(run_id, optimizer)
    return ValueCurves(
        optimizer=optimizer,
        strengths=tuple(strengths),
        kl_SM=frame["kl"].fill_null(0.0).to_numpy().reshape(len(strengths), len(complete)),
        kl_estimator=str(frame["kl_estimator"][0] or "none"),
        values=tuple(stored.policy_values(at_MMQ, complete) for at_MMQ in stored.optimised_SMKQ),
        left_out=tuple(name for name in models if name not in complete),
    )


def policy_values_at_kl(
    connection: Connection,
    run_id: str,
    optimizer: str,
    kl: float,
    kl_coefficient: float | None = None,
    *,
    samples: Samples | None = None,
) -> PolicyValues:
    """`policy_values` of an optimiser where each policy has diverged from the initial one by `kl` nats.

    Between strengths as in `study.curves.value_curves`; a reward model whose policy never gets that far is marked in
    `optimised_M`. Raises InvalidChoice if the run has no such policies, or none gets that far.
    """
    frame = policies.of_optimizer(connection, run_id, optimizer, kl_coefficient).drop_nulls("kl")
    if frame.is_empty():
        raise InvalidChoice(f"run {run_id!r} has no policies of {optimizer!r} whose KL is known")
    models = reward_models(connection, run_id)["reward_model_id"].to_list()
    strengths = frame["strength"].unique().sort().to_list()
    kl_SM = np.full((len(strengths), len(models)), np.nan)
    for strength, name, nats in frame.select("strength", "reward_model_id", "kl").iter_rows():
        kl_SM[strengths.index(strength), models.index(name)] = nats
    known_SM, kl_SM = ~np.isnan(kl_SM), np.nan_to_num(kl_SM)
    read = strengths_read(kl_SM, known_SM, kl)
    penalty = frame["kl_coefficient"][0]
    values = [policy_values(connection, run_id, optimizer, strengths[s], penalty, samples=samples) for s in read]
    return values_at_kl(values, kl_SM[read], kl)


class _Stored(NamedTuple):
    """Values of the initial policy and of S strengths × K policies to M goldens, on Q prompts (rows of `prompt`)."""

    initial_MQ: NDArray[np.float64]
    optimised_SMKQ: NDArray[np.float64]
    reward_models: list[str]
    prompts: pl.DataFrame

    def policy_values(
        self, optimised_MMQ: NDArray[np.float64], names: list[str], optimised_M: NDArray[np.bool_] | None = None
    ) -> PolicyValues:
        return PolicyValues(
            initial_MQ=self.initial_MQ,
            optimised_MMQ=optimised_MMQ,
            reward_models=tuple(names),
            prompts=tuple(self.prompts["prompt_id"]),
            categories=tuple(self.prompts["category"]),
            subsets=tuple(self.prompts["subset"]),
            optimised_M=optimised_M,
        )


def _stored_values(
    connection: Connection, run_id: str, frame: pl.DataFrame, goldens: list[str], samples: Samples | None
) -> _Stored:
    """Values of policies (rows of `of_optimizer`) to these goldens. Raises InvalidChoice if some are missing."""
    optimizer = frame["optimizer"][0]
    # policies and prompts by number: names beside every value would take longer than the values
    values = connection.execute(
        """
        WITH numbered AS (
            SELECT run_id, prompt_id, row_number() OVER (ORDER BY prompt_id) - 1 AS number
            FROM prompt WHERE run_id = $run
        )
        SELECT place, number, value
        FROM policy_value JOIN (SELECT unnest($policies) AS policy_id, unnest(range(len($policies))) AS place)
        USING (policy_id) JOIN numbered USING (run_id, prompt_id)
        WHERE run_id = $run AND list_contains($goldens, golden_id)
        ORDER BY place, golden_id, number  -- as they are stored: any other order takes three times as long
        """,
        {"run": run_id, "policies": [INITIAL, *frame["policy_id"]], "goldens": goldens},
    ).pl()
    initial, optimised = values.filter(place=0), values.filter(pl.col("place") > 0)
    if optimised.is_empty() and optimizer == "bon":
        scores_MPN = (samples() if samples else initial_scores(connection, run_id, "rl_test")).scores_MPR
        optimised_values = best_of_n_values(scores_MPN, [int(n) for n in frame["strength"].unique().sort()])
        names = goldens
    else:
        initial = initial.filter(pl.col("number").is_in(optimised["number"].unique().implode()))
        optimised_values = optimised["value"].to_numpy()
        frame = frame[optimised["place"].unique().sort() - 1]
        names = frame["reward_model_id"].unique().sort().to_list()
    described = prompts(connection, run_id)[initial["number"].unique().sort().to_numpy()]
    S, M, K, Q = frame["strength"].n_unique(), len(goldens), len(names), described.height
    if Q == 0 or initial.height != M * Q or optimised_values.size != S * M * K * Q:
        raise _incomplete(run_id, optimizer)
    if optimised_values.ndim == 1:  # stored by strength, reward model, golden
        optimised_values = np.ascontiguousarray(optimised_values.reshape(S, K, M, Q).transpose(0, 2, 1, 3))
    return _Stored(initial["value"].to_numpy().reshape(M, Q), optimised_values, names, described)


def _incomplete(run_id: str, optimizer: str) -> InvalidChoice:
    return InvalidChoice(f"run {run_id!r} lacks values of {optimizer!r} for some reward models or prompts")


def _complete(frame: pl.DataFrame) -> tuple[list[str], list[float]]:
    """The reward models and the strengths to compare."""
    models, strengths = (frame[name].unique().sort() for name in ("reward_model_id", "strength"))
    counts = frame.group_by("reward_model_id").agg(pl.col("strength").n_unique())
    complete = counts.filter(strength=len(strengths))["reward_model_id"].sort().to_list()
    if len(complete) < 2 <= len(models):
        counts = frame.group_by("strength").agg(pl.col("reward_model_id").n_unique())
        common = counts.filter(reward_model_id=len(models))["strength"].sort().to_list()
        if common:
            return models.to_list(), common
    return complete, strengths.to_list()
