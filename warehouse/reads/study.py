"""A whole run as the claims are examined on it: every optimiser with its scores, curves, lengths and KL sweep."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import numpy as np
from numpy.typing import NDArray

from warehouse import reads
from warehouse.claims.study import Optimised, Study
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.reads import policies
from warehouse.reads.policies import tokens_along
from warehouse.reads.responses import response_tokens
from warehouse.study import spread_within_prompts
from warehouse.study.value_curves import ValueCurves


def study(connection: duckdb.DuckDBPyConnection, run_id: str, *, replicates: int = 1000, seed: int = 0) -> Study:
    """Everything of a run that a claim is about; what the run has not is None.

    Raises UnknownName for a run that is not there, InvalidChoice for one that says nothing: fewer than two reward
    models, or no optimised policies.
    """
    models = reads.reward_models(connection, run_id)
    optimizers = reads.strengths(connection, run_id)["optimizer"].unique().sort().to_list()
    if models.height < 2 or not optimizers:
        raise InvalidChoice(
            f"run {run_id!r} has {models.height} reward models and {len(optimizers)} optimisers; claims take two "
            "reward models and their optimised policies"
        )
    cube = reads.score_cube(connection, run_id)
    paraphrased = _paraphrased(connection, run_id)
    samples = ScoreCube(*reads.initial_scores(connection, run_id, "rl_test"))
    return Study(
        optimised={name: _optimised(connection, run_id, name, cube, paraphrased, samples) for name in optimizers},
        kinds=dict(zip(models["reward_model_id"], models["kind"], strict=True)),
        replicates=replicates,
        seed=seed,
    )


def _paraphrased(connection: duckdb.DuckDBPyConnection, run_id: str) -> ScoreCube | None:
    """The RM-test prompts, all of them in other words; None where some were not answered so."""
    there = reads.sources(connection, run_id).filter(source=reads.INITIAL)
    if there.is_empty() or not there["paraphrase_responses"].item():
        return None
    try:
        return reads.score_cube(connection, run_id, paraphrase=1.0)
    except InvalidChoice:
        return None


def _optimised(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    optimizer: str,
    cube: ScoreCube,
    paraphrased: ScoreCube | None,
    samples: ScoreCube,
) -> Optimised:
    curves = policies.value_curves(connection, run_id, optimizer)
    names = curves.reward_models
    own_samples = samples.of_reward_models(names)
    tokens_SMQ = tokens_along(connection, run_id, curves, own_samples)
    initial_PN = response_tokens(connection, run_id, "rl_test")
    counted = tokens_SMQ is not None and bool(initial_PN.any())
    row = {prompt: p for p, prompt in enumerate(samples.prompts)}
    penalised, at_kl, matched_kl = _sweep(connection, run_id, optimizer)
    return Optimised(
        curves=curves,
        cube=cube.of_reward_models(names),
        paraphrased=None if paraphrased is None else paraphrased.of_reward_models(names),
        spread_M=spread_within_prompts(own_samples.scores_MPR),
        tokens_SMQ=tokens_SMQ if counted else None,
        initial_tokens_Q=initial_PN.mean(axis=1)[[row[name] for name in curves.values[0].prompts]] if counted else None,
        penalised=penalised,
        at_kl=at_kl,
        matched_kl=matched_kl,
    )


def _sweep(
    connection: duckdb.DuckDBPyConnection, run_id: str, optimizer: str
) -> tuple[ValueCurves | None, ValueCurves | None, float | None]:
    """Policies of the reward models that have all penalties: at the last common strength, and at a KL all reach."""
    penalties = reads.kl_coefficients(connection, run_id, optimizer)
    if len(penalties) < 2:
        return None, None, None
    found = [policies.value_curves(connection, run_id, optimizer, penalty) for penalty in penalties]
    names = [name for name in found[0].reward_models if all(name in one.reward_models for one in found)]
    common = set.intersection(*(set(one.strengths) for one in found))
    if len(names) < 2 or not common:
        return None, None, None
    places = [one.strengths.index(max(common)) for one in found]
    last_SM = np.stack([_kl_SM(one, names)[place] for one, place in zip(found, places, strict=True)])
    values = [one.values[place] for one, place in zip(found, places, strict=True)]
    penalised = _by_penalty(found[0], penalties, names, last_SM, values)
    kl = float(min(_kl_SM(one, names).max(axis=0).min() for one in found))
    if kl <= 0:
        return penalised, None, None
    at_kl = [policies.policy_values_at_kl(connection, run_id, optimizer, kl, penalty) for penalty in penalties]
    matched = _by_penalty(found[0], penalties, names, np.full((len(penalties), len(names)), kl), at_kl)
    return penalised, matched, kl


def _by_penalty(
    like: ValueCurves,
    penalties: tuple[float, ...],
    names: list[str],
    kl_SM: NDArray[np.float64],
    values: list[PolicyValues],
) -> ValueCurves:
    some = tuple(replace(one.of_reward_models(names), optimised_M=None) for one in values)
    return replace(like, strengths=penalties, kl_SM=kl_SM, values=some, left_out=())


def _kl_SM(curves: ValueCurves, names: list[str]) -> NDArray[np.float64]:
    return curves.kl_SM[:, [curves.reward_models.index(name) for name in names]]
