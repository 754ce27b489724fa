"""The regret that reward models of a run would give, predicted from the RM test: reads what `study.predicted` takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from warehouse.errors import InvalidChoice
from warehouse.metrics.preparation import prepare_all
from warehouse.metrics.test_set import TestSet
from warehouse.reads import policies
from warehouse.reads.runs import reward_models
from warehouse.reads.scores import initial_scores
from warehouse.reads.values import Samples, policy_values
from warehouse.store import Connection
from warehouse.study.predicted.known import USED, known_of
from warehouse.study.predicted.regret import PredictedRegret, predicted_regret


class OfOptimizer(NamedTuple):
    """Predictions for an optimiser's policies at a strength; `result` is None where `why` says why not."""

    optimizer: str
    strength: float
    result: PredictedRegret | None
    why: str = ""


def predictions(
    connection: Connection,
    run_id: str,
    goldens: Sequence[str] = (),
    *,
    samples: Samples | None = None,
    cube: Samples | None = None,
    seed: int = 0,
) -> list[OfOptimizer]:
    """Predictions for every optimiser of a run, at the strength that is shown unless another one is chosen.

    The truth are these goldens; none: those that are golden only, or else every reward model in turn. `samples` and
    `cube` give the RL-test and RM-test scores from a cache. Raises UnknownName, and InvalidChoice for a run without
    policies or scores.
    """
    models = reward_models(connection, run_id)
    chosen = list(goldens) or models.filter(role="golden")["reward_model_id"].to_list()
    optimizers = policies.strengths(connection, run_id)["optimizer"].unique().sort().to_list()
    if not optimizers:
        raise InvalidChoice(f"run {run_id!r} has no optimised policies, so there is nothing to learn regret from")
    scores = (cube() if cube else initial_scores(connection, run_id, "rm_test")).with_goldens(chosen)
    samples = samples or partial(initial_scores, connection, run_id, "rl_test")
    prepared = prepare_all(scores, USED, TestSet())
    kinds = dict(models.select("reward_model_id", "kind").iter_rows())
    predicted = []
    for optimizer in optimizers:
        strength = policies.usual_strength(connection, run_id, optimizer)
        try:
            values = policy_values(connection, run_id, optimizer, strength, samples=samples)
            known = known_of(scores, values, kinds, prepared=prepared, seed=seed)
        except InvalidChoice as error:
            predicted.append(OfOptimizer(optimizer, strength, result=None, why=str(error)))
            continue
        predicted.append(OfOptimizer(optimizer, strength, predicted_regret(known)))
    return predicted
