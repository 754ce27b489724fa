"""Plain arrays in, figures out, in three lines."""

from __future__ import annotations

import numpy as np
import pytest

from tests.warehouse.study.simulate import normal_scores
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import best_of_n_policies, score_cube
from warehouse.study import TestSet, evaluate

NOISE = np.linspace(0.3, 2.0, 5)


def test_three_lines_from_arrays_to_a_figure() -> None:
    rng = np.random.default_rng(0)
    cube = score_cube(normal_scores(rng, NOISE, 40, 5))
    values = best_of_n_policies(normal_scores(rng, NOISE, 40, 16), n=8)
    assert evaluate(cube, values, replicates=50).correlations["kendall"].value > 0.5


def test_names_are_taken_as_given() -> None:
    scores = normal_scores(np.random.default_rng(0), NOISE[:2], 4, 3)
    cube = score_cube(scores, reward_models=["a", "b"], categories=["x", "x", "y", "y"])
    values = best_of_n_policies(scores, 2, reward_models=["a", "b"], categories=["x", "x", "y", "y"])
    found = evaluate(cube, values, test_set=TestSet(categories=("y",)), rl_categories=("x",), replicates=9)
    assert (found.prompts_used, found.rl_prompts_used) == (2, 2)


def test_arrays_that_hold_no_study_are_refused() -> None:
    scores = np.zeros((2, 3, 4))
    scores[1, 2, 0] = np.nan
    with pytest.raises(InvalidChoice, match=r"scores are nan at \(1, 2, 0\), 1 in all"):
        score_cube(scores)
    with pytest.raises(InvalidChoice, match="2 axes"):
        best_of_n_policies(np.zeros((2, 3)), 1)
    with pytest.raises(InvalidChoice, match="2 responses"):
        score_cube(np.zeros((2, 3, 1)))
    with pytest.raises(InvalidChoice, match="1 reward_models for 2; give one each"):
        score_cube(np.zeros((2, 3, 4)), reward_models=["a"])
