"""`claims/findings.py`: verdicts are read off intervals, on studies whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.warehouse.study.curves.simulated import best_of_n, policy_values
from tests.warehouse.study.simulate import cube_of, normal_scores, study, values_of
from warehouse.claims.findings import better, harder, length, predicts
from warehouse.errors import InvalidChoice
from warehouse.metrics.model_scores import ModelEstimates, length_correlations
from warehouse.study import Estimate, compare, evaluate
from warehouse.study.curves.strength_curves import ndr_curve
from warehouse.study.curves.value_curves import ValueCurves


def test_accuracy_predicts_in_a_study_of_growing_noise_and_nothing_can_be_told_of_two_reward_models() -> None:
    cube, values = study(M=8, P=200, Q=200)
    found = predicts(evaluate(cube, values, replicates=300))
    assert found.verdict == "holds"
    assert found.facts["pairs"] == 56
    two, of_two = study(M=2)
    assert predicts(evaluate(two, of_two, replicates=100)).verdict == "undefined"


def test_a_measure_is_not_better_than_itself() -> None:
    cube, values = study()
    found = better("measure", compare(cube, values, "accuracy", "accuracy", replicates=100))
    assert found.estimate.value == 0.0
    assert (found.verdict, found.opposite) == ("refuted", False)
    assert found.facts["first"] == found.facts["second"]


def test_a_proxy_that_gains_and_then_loses_loses_more_the_harder_it_is_optimised() -> None:
    gain = np.ones((3, 3, 40)) * np.eye(3)[..., None]
    strengths = []
    for kept in (0.9, 0.2):
        optimised = np.where(gain > 0, 1.0, kept) + 0.01 * np.random.default_rng(0).standard_normal(gain.shape)
        strengths.append(policy_values(optimised, np.zeros((3, 40))))
    curves = ValueCurves("ppo", (10.0, 20.0), np.ones((2, 3)), "k3", tuple(strengths))
    found = harder(ndr_curve(curves, replicates=200))
    assert found.verdict == "holds"
    assert found.estimate.value == pytest.approx(-0.7, abs=0.02)
    assert found.facts["first"][0] == 10.0  # type: ignore[index]


def test_what_best_of_n_changes_is_counted_from_the_first_defined_strength() -> None:
    curves, _ = best_of_n()
    found = harder(ndr_curve(curves, replicates=100))
    assert (found.facts["first"][0], found.facts["last"][0]) == (2.0, 16.0)  # type: ignore[index]
    silent = ValueCurves("bon", (1.0,), curves.kl_SM[:1], "bound", curves.values[:1])
    assert harder(ndr_curve(silent, replicates=50)).verdict == "undefined"


def test_length_is_followed_by_those_whose_scores_are_made_of_it() -> None:
    rng = np.random.default_rng(5)
    tokens = rng.integers(5, 60, (80, 6))
    scores = normal_scores(rng, np.array([0.5, 0.5, 0.5]), 80, 6)
    scores[1] += 0.2 * tokens
    scores[2] -= 0.1 * tokens
    cube = cube_of(scores)
    found = length(cube.reward_models, length_correlations(cube, tokens, replicates=200))
    assert found.facts["strongest"] == "rm-1"
    assert (found.facts["longer"], found.facts["shorter"]) == (1, 1)
    assert found.verdict == "holds"
    silent = length(("a", "b"), length_correlations(cube_of(np.zeros((2, 4, 3))), tokens[:4, :3], replicates=20))
    assert silent.verdict == "undefined"


def test_a_correlation_of_zero_is_stronger_than_none() -> None:
    estimates = (Estimate(None, None, None, 0), Estimate(0.0, -0.1, 0.1, 50))
    found = length(("silent", "unmoved"), ModelEstimates(estimates, (0, 0), 20))
    assert (found.facts["strongest"], found.verdict) == ("unmoved", "cannot be told at this size")


def test_values_of_the_same_study_agree_with_the_evaluation() -> None:
    rng = np.random.default_rng(7)
    scores = normal_scores(rng, np.linspace(0.3, 2, 5), 60, 16)
    evaluation = evaluate(cube_of(scores[:, :, :5]), values_of(scores, 16), replicates=200)
    found = predicts(evaluation)
    assert found.estimate == evaluation.correlations["kendall"]
    assert found.resampled == evaluation.resampled


def test_one_reward_model_alone_is_no_study() -> None:
    cube, values = study(M=1)
    with pytest.raises(InvalidChoice, match="a golden and a proxy take two"):
        evaluate(cube, values, replicates=20)
