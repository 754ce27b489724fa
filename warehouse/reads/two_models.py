"""What the comparison of two reward models' policies reads: their values, and the scores of the single responses."""

from __future__ import annotations

import numpy as np
import polars as pl

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.test_set import with_responses
from warehouse.reads import policies
from warehouse.reads.scores import initial_scores, policy_scores
from warehouse.reads.values import Samples, policy_values
from warehouse.store import Connection
from warehouse.study.power import Draws
from warehouse.study.two_models import best_of_n_draws, scored_draws, strength_to_compare, value_draws


def compared_strength(connection: Connection, run_id: str, optimizer: str) -> float:
    """The strength of an optimiser at which two policies are compared; of best-of-n one that half of the prompts allow.

    Raises InvalidChoice without such policies.
    """
    known = policies.strengths(connection, run_id)
    strengths = known.filter(optimizer=optimizer)["strength"].to_list()
    if not strengths:
        names = ", ".join(known["optimizer"].unique().sort()) or "none"
        raise InvalidChoice(f"run {run_id!r} has no policies of optimiser {optimizer!r}; it has: {names}")
    if optimizer == "bon":
        strengths = policies.within_reach(connection, run_id, strengths) or strengths
    return strength_to_compare(optimizer, strengths)


def policy_draws(
    connection: Connection,
    run_id: str,
    first: str,
    second: str,
    *,
    optimizer: str,
    strength: float,
    golden: str | None = None,
    samples: Samples | None = None,
) -> Draws:
    """The difference of what two reward models' policies are worth, from their responses if those were scored.

    `samples` gives the scores of the initial policy's RL-test responses (`reads.values`). Raises InvalidChoice without
    such policies, and as `study.two_models.best_of_n_draws`.
    """
    values = policy_values(connection, run_id, optimizer, strength, samples=samples)
    if optimizer == "bon":
        cube = samples() if samples else initial_scores(connection, run_id, "rl_test")
        part = cube.of_prompts(np.array([cube.prompts.index(name) for name in values.prompts]))
        fewest = int(part.counts_P.min())  # the first so many of each prompt
        scores_MQN = part.scores_MPR[:, :, :fewest]
        return best_of_n_draws(values, scores_MQN, first, second, n=int(strength), golden=golden)
    whole = value_draws(values, first, second, golden=golden)
    rows = policies.of_optimizer(connection, run_id, optimizer).filter(strength=strength)
    try:
        cubes = [_scores(connection, run_id, rows, name) for name in (first, second)]
    except InvalidChoice:  # values without responses, as of an imported run
        return whole
    if any(cube.prompts != values.prompts for cube in cubes):
        return whole
    fewest = min(int(cube.counts_P.min()) for cube in cubes)  # beyond that, some prompts have no response
    first_MQK, second_MQK = (cube.scores_MPR[:, :, :fewest] for cube in cubes)
    return scored_draws(values, first_MQK, second_MQK, first, second, golden=golden)


def _scores(connection: Connection, run_id: str, rows: pl.DataFrame, reward_model: str) -> ScoreCube:
    """Of the responses of all repeats of the policy."""
    repeats = rows.filter(reward_model_id=reward_model)["policy_id"]
    return with_responses([policy_scores(connection, run_id, policy_id, "rl_test") for policy_id in repeats])
