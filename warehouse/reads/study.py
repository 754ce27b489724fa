"""A whole run as the claims are examined on it: every optimiser with its scores, curves, lengths and KL sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.claims.claim import Optimised, Study
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import PolicyValues, ScoreCube, spread_within_prompts
from warehouse.metrics.test_set import FEWEST_RESPONSES
from warehouse.reads import policies, probes, scores, values
from warehouse.reads.endings import features_of_curves
from warehouse.reads.responses import lengths_of_curves, response_lengths
from warehouse.reads.runs import reward_models
from warehouse.schema import INITIAL
from warehouse.store import Connection
from warehouse.study.curves.value_curves import ValueCurves


def study(
    connection: Connection, run_id: str, *, goldens: Sequence[str] = (), replicates: int = 1000, seed: int = 0
) -> Study:
    """Everything of a run that a claim is about; what the run lacks is None.

    With these `goldens`, or those of the stored roles. Scorers that are neither golden nor a proxy are left out. Raises
    UnknownName for an unknown run, InvalidChoice for one without anything to examine: fewer than two reward models, or
    no optimised policies.
    """
    models = reward_models(connection, run_id)
    optimizers = policies.strengths(connection, run_id)["optimizer"].unique().sort().to_list()
    if models.height < 2 or not optimizers:
        raise InvalidChoice(
            f"run {run_id!r} has {models.height} reward models and {len(optimizers)} optimisers; claims need two "
            "reward models and their optimised policies"
        )
    whole = scores.score_cube(connection, run_id).with_goldens(goldens)
    used_M = whole.roles.golden_M | whole.roles.proxy_M
    cube = whole.of_reward_models([name for name, used in zip(whole.reward_models, used_M, strict=True) if used])
    paraphrased = _paraphrased(connection, run_id)
    samples = scores.initial_scores(connection, run_id, "rl_test")
    reactions = probes.reactions(connection, run_id)
    features_EQN = None if reactions is None else probes.initial_features(connection, run_id, samples)

    def optimised(name: str) -> Optimised:
        policies = _optimised(connection, run_id, name, cube=cube, paraphrased=paraphrased, samples=samples)
        if features_EQN is None or policies.samples is None:
            return policies
        drift = probes.drift(connection, run_id, policies.curves, policies.samples, features_EQN)
        return replace(policies, drift=drift)

    return Study(
        optimised={name: optimised(name) for name in optimizers},
        kinds=dict(zip(models["reward_model_id"], models["kind"], strict=True)),
        replicates=replicates,
        seed=seed,
        flip_rates=dict(models.drop_nulls("flip_rate").select("reward_model_id", "flip_rate").iter_rows()),
        sources=_sources(connection, run_id),
        reactions=reactions,
    )


def _sources(connection: Connection, run_id: str) -> dict[str, ScoreCube]:
    """Sources beside the initial policy with two responses to a prompt or more; policies of reward models as `ppo`."""
    known = scores.sources(connection, run_id).filter(pl.col("responses") >= FEWEST_RESPONSES)
    single = policies.optimised(connection, run_id)
    names = [name for name in known["source"] if name != INITIAL and name not in single]
    return {name: cube for name in names if (cube := _dense(connection, run_id, name)) is not None}


def _dense(connection: Connection, run_id: str, source: str) -> ScoreCube | None:
    """A source's scores; None if it gave some prompts more responses than others, or not all are scored."""
    try:
        cube = scores.score_cube(connection, run_id, source)
    except InvalidChoice:
        return None
    return None if cube.responses_P is not None else cube


def _paraphrased(connection: Connection, run_id: str) -> ScoreCube | None:
    """The RM-test prompts, all of them paraphrased; None if some paraphrases were not answered."""
    initial = scores.sources(connection, run_id).filter(source=INITIAL)
    if initial.is_empty() or not initial["paraphrase_responses"].item():
        return None
    try:
        return scores.score_cube(connection, run_id, paraphrase=1.0)
    except InvalidChoice:
        return None


def _optimised(
    connection: Connection,
    run_id: str,
    optimizer: str,
    *,
    cube: ScoreCube,
    paraphrased: ScoreCube | None,
    samples: ScoreCube,
) -> Optimised:
    curves = values.value_curves(connection, run_id, optimizer, samples=lambda: samples, goldens=cube.goldens)
    names = [name for name in curves.reward_models if name in cube.reward_models]
    curves = curves.of_reward_models(names).with_goldens(cube.goldens)
    own_samples = samples.of_reward_models(names)
    optimised = Optimised(
        curves=curves,
        cube=cube.of_reward_models(names),
        paraphrased=None if paraphrased is None else paraphrased.of_reward_models(names),
        spread_M=spread_within_prompts(own_samples),
        features=features_of_curves(connection, run_id, curves, own_samples, matched=True),
        samples=own_samples,
        responses=policies.responses_to_a_prompt(connection, run_id, optimizer, curves.strengths[-1]),
    )
    lengths, initial = lengths_of_curves(connection, run_id, curves, own_samples), None
    if lengths is not None and lengths.unit == "tokens":
        initial = response_lengths(connection, run_id, "rl_test")
    if lengths is not None and initial is not None and initial.unit == "tokens":
        rows = [samples.prompts.index(name) for name in curves.values[0].prompts]
        initial_tokens_Q = (initial.values.sum(axis=1) / samples.counts_P)[rows]
        optimised = replace(optimised, tokens_SMQ=lengths.values, initial_tokens_Q=initial_tokens_Q)
    return _with_sweep(connection, run_id, optimised)


def _with_sweep(connection: Connection, run_id: str, optimised: Optimised) -> Optimised:
    """With the policies of the reward models that have all KL penalties: at the last common strength and at one KL."""
    optimizer = optimised.curves.optimizer
    penalties = policies.kl_coefficients(connection, run_id, optimizer)
    if len(penalties) < 2:
        return optimised
    goldens = optimised.cube.goldens
    sweep = [
        values.value_curves(connection, run_id, optimizer, penalty, goldens=goldens).with_goldens(goldens)
        for penalty in penalties
    ]
    names = [name for name in optimised.curves.reward_models if all(name in curves.reward_models for curves in sweep)]
    common = set.intersection(*(set(curves.strengths) for curves in sweep))
    if len(names) < 2 or not common:
        return optimised
    last = [curves.strengths.index(max(common)) for curves in sweep]
    kl_SM = [curves.kl_SM[:, [curves.reward_models.index(name) for name in names]] for curves in sweep]

    def by_penalty(kl_CM: NDArray[np.float64], values_of_penalties: list[PolicyValues]) -> ValueCurves:
        cut = tuple(_all_optimised(policy.of_reward_models(names)) for policy in values_of_penalties)
        return replace(sweep[0], strengths=penalties, kl_SM=kl_CM, values=cut, left_out=())

    at_last = [curves.values[place] for curves, place in zip(sweep, last, strict=True)]
    last_kl_CM = np.stack([kl[place] for kl, place in zip(kl_SM, last, strict=True)])
    optimised = replace(optimised, penalised=by_penalty(last_kl_CM, at_last))
    kl = float(min(kl.max(axis=0).min() for kl in kl_SM))
    if kl <= 0:
        return optimised
    at_kl = [values.policy_values_at_kl(connection, run_id, optimizer, kl, penalty) for penalty in penalties]
    return replace(optimised, at_kl=by_penalty(np.full(last_kl_CM.shape, kl), at_kl), matched_kl=kl)


def _all_optimised(values: PolicyValues) -> PolicyValues:
    """The same of which every proxy is known to have a policy: only goldens may be without one."""
    golden_only_M = values.roles.golden_only_M
    return replace(values, optimised_M=~golden_only_M if golden_only_M.any() else None)
