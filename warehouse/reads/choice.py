"""Which reward model to take: reads what a question needs, for `study.choice.answer`."""

from __future__ import annotations

import polars as pl

from warehouse.errors import InvalidChoice
from warehouse.metrics.catalogue import MEASURES
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.test_set import TestSet
from warehouse.reads import outcomes, policies
from warehouse.reads.responses import response_lengths
from warehouse.reads.runs import reward_models
from warehouse.reads.scores import initial_scores
from warehouse.reads.values import Samples, policy_values, policy_values_at_kl
from warehouse.store import Connection
from warehouse.study.choice.answer import (
    BEST_OF_N,
    Answer,
    Lengths,
    Question,
    Task,
    Truth,
    by_best_of_n,
    by_measure,
    by_policies,
)
from warehouse.study.choice.by_outcome import OutcomeAnswer, by_outcome
from warehouse.study.choice.worth import sides_of


def task_of(connection: Connection, run_id: str, question: Question, seed: int = 0, least: int = 2) -> Task:
    """The question with the scorers of a run. Raises UnknownName, and InvalidChoice for fewer to judge than `least`."""
    models = reward_models(connection, run_id)
    names, roles = models["reward_model_id"].to_list(), models["role"].to_list()
    sides = sides_of(names, question.goldens, roles, least)
    only_golden = all(roles[golden] == "golden" for golden in sides.goldens)
    truth: Truth = "named" if question.goldens else "golden only" if only_golden else "the others"
    return Task(question, sides, truth, seed)


def answer(
    connection: Connection,
    run_id: str,
    question: Question,
    *,
    samples: Samples | None = None,
    cube: Samples | None = None,
    seed: int = 0,
) -> Answer:
    """Rank the reward models of a run. `samples` and `cube` give the RL-test and RM-test scores from a cache.

    Raises UnknownName and InvalidChoice for what the run does not have.
    """
    task = task_of(connection, run_id, question, seed)
    if question.by in MEASURES:
        return by_measure(task, cube() if cube else initial_scores(connection, run_id, "rm_test"))
    known = policies.strengths(connection, run_id)
    if question.by != BEST_OF_N and question.by not in known["optimizer"]:
        offered = ", ".join(known["optimizer"].unique().sort()) or "none"
        raise InvalidChoice(
            f"by is {question.by!r}; choose a measure ({', '.join(MEASURES)}) or one of the run's optimisers: {offered}"
        )
    scores = _samples(connection, run_id, samples)
    if question.by == BEST_OF_N:
        if scores is None:
            raise InvalidChoice(
                f"run {run_id!r} has no scores of samples to RL-test prompts, so best-of-n has no picks"
            )
        return by_best_of_n(task, scores, lengths_of(connection, run_id, scores))
    if question.kl is not None:
        values = policy_values_at_kl(connection, run_id, question.by, question.kl)
        return by_policies(task, values, strength=None, samples=scores)
    strength = question.strength
    if strength is None:
        strength = max(known.filter(optimizer=question.by)["strength"].to_list())
    values = policy_values(connection, run_id, question.by, strength)
    kl = policies.known_kl(connection, run_id, question.by, strength)
    return by_policies(task, values, strength, scores, kl)


def answer_by_outcome(
    connection: Connection,
    run_id: str,
    name: str,
    question: Question,
    *,
    cube: Samples | None = None,
    seed: int = 0,
) -> OutcomeAnswer:
    """Rank the reward models of a run by an outcome; goldens and prompts of the question are those of measures.

    Raises UnknownName and InvalidChoice for what the run does not have.
    """
    models = reward_models(connection, run_id)
    candidates = models.filter(pl.col("role").ne_missing("golden"))["reward_model_id"].to_list()
    of_run = outcomes.outcome(connection, run_id, name)
    try:
        scores = cube() if cube else initial_scores(connection, run_id, "rm_test")
    except InvalidChoice:
        scores = None
    goldens = question.goldens or models.filter(role="golden")["reward_model_id"].to_list()
    test_set = TestSet(categories=question.categories or None, subsets=question.subsets or None)
    chosen = scores and scores.with_goldens(goldens)
    return by_outcome(of_run, candidates, chosen, test_set=test_set, seed=seed)


def _samples(connection: Connection, run_id: str, samples: Samples | None) -> ScoreCube | None:
    """The scores of the RL-test samples; None if there are none, as where only values were imported."""
    try:
        return samples() if samples else initial_scores(connection, run_id, "rl_test")
    except InvalidChoice:
        return None


def lengths_of(connection: Connection, run_id: str, cube: ScoreCube) -> Lengths | None:
    """Lengths of the RL-test responses that `cube` has scores of; None without texts, or if some have no scores."""
    lengths = response_lengths(connection, run_id, "rl_test")
    if lengths is None or lengths.values.shape != cube.scores_MPR.shape[1:]:
        return None
    return Lengths(lengths.values, lengths.unit)
