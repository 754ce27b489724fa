"""The same prompts on both sides: halves, and no prediction where scores are pure noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.warehouse.study.simulate import normal_scores
from warehouse.metrics.cube import best_of_n_policies, score_cube
from warehouse.study import Evaluation, TestSet, evaluate
from warehouse.study.evaluate import replicated
from warehouse.study.folds import SPLITS, cross_fitted


def same_responses(scores_MPR: np.ndarray, replicates: int = 240) -> Evaluation:
    """The responses that measure reward models are those that best-of-n picks from."""
    cube = score_cube(scores_MPR)
    values = replace(best_of_n_policies(scores_MPR, 4), prompts=cube.prompts)
    return evaluate(cube, values, replicates=replicates)


def test_each_split_uses_each_prompt_once_on_either_side_and_never_on_both() -> None:
    names = [f"p{number}" for number in range(21)]
    folds = cross_fitted(names, names, draws=9, seed=3)
    assert folds.shared == 21
    assert len(folds.folds) == 2 * SPLITS
    for first, second in zip(folds.folds[::2], folds.folds[1::2], strict=True):
        for fold in (first, second):
            assert not set(fold.rm_prompts) & set(fold.rl_prompts)
            assert len(fold.rm_prompts) + len(fold.rl_prompts) == 21
        assert np.array_equal(first.rm_prompts, second.rl_prompts)
        assert np.array_equal(first.rm_counts_BP, second.rl_counts_BQ)
        assert (first.rm_counts_BP.sum(axis=1) + first.rl_counts_BQ.sum(axis=1) == 21).all()


def test_prompts_of_one_side_only_are_halved_by_themselves() -> None:
    both, measured, valued = ([f"{kind}{n}" for n in range(10)] for kind in ("both", "rm", "rl"))
    folds = cross_fitted([*both, *measured], [*both, *valued], draws=2, seed=0)
    assert folds.shared == 10
    for fold in folds.folds:
        assert (fold.rm_prompts < 10).sum() == 5
        assert (fold.rl_prompts < 10).sum() == 5


def test_too_few_prompts_to_halve_leave_the_correlation_undefined() -> None:
    scores = normal_scores(np.random.default_rng(0), np.linspace(0.3, 1.5, 6), 3, 4)
    result = same_responses(scores)
    assert result.shared_prompts == 3
    assert result.correlations["kendall"].value is None


def test_scorers_of_pure_noise_predict_nothing() -> None:
    covered, values = 0, []
    for seed in range(25):
        kendall = same_responses(np.random.default_rng(seed).normal(size=(8, 60, 8))).correlations["kendall"]
        assert kendall.low is not None
        assert kendall.high is not None
        covered += kendall.low <= 0.0 <= kendall.high
        values.append(kendall.value)
    assert covered >= 22
    assert abs(np.mean(values)) < 0.1


def test_a_true_signal_is_found_on_the_same_prompts() -> None:
    scores = normal_scores(np.random.default_rng(1), np.linspace(0.2, 2.0, 10), 200, 8)
    kendall = same_responses(scores).correlations["kendall"]
    assert kendall.low is not None
    assert kendall.low > 0.3
    assert kendall.p_value == pytest.approx(1 / 48, abs=0.01)


def test_a_test_set_with_shared_prompts_is_not_worse_than_another_for_being_halved() -> None:
    """Policies are valued on one category; the same category has no advantage and no drawback as a test set."""
    differences = []
    for seed in range(24):
        scores_MPR = normal_scores(np.random.default_rng(seed), np.linspace(0.3, 2.0, 10), 80, 4)
        names = ("Chat", "Safety") * 40
        cube = score_cube(scores_MPR, categories=names)
        values = replace(best_of_n_policies(scores_MPR, 4, categories=names), prompts=cube.prompts)
        jobs = [("accuracy", TestSet(categories=(name,))) for name in ("Chat", "Safety")]
        own, other = (
            part.evaluation
            for part in replicated(cube, values, jobs, rl_categories=("Chat",), replicates=16, seed=seed)
        )
        assert (own.shared_prompts, other.shared_prompts) == (40, 0)
        first, second = (side.correlations["kendall"].sample.value for side in (own, other))
        differences.append(first - second)  # type: ignore[operator]
    assert abs(np.mean(differences)) < 0.06  # −0.12 if the second were not halved


def test_prompts_apart_are_not_halved() -> None:
    scores = normal_scores(np.random.default_rng(1), np.linspace(0.2, 2.0, 6), 40, 8)
    apart = evaluate(score_cube(scores), best_of_n_policies(scores, 4), replicates=80)
    assert apart.shared_prompts == 0
    assert evaluate(score_cube(scores), best_of_n_policies(scores, 4), test_set=TestSet(prompts=20)).prompts_used == 20
