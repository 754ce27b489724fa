"""Paired differences, contrasts and simultaneous intervals of several figures on shared draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.warehouse.study.simulate import cube_of, normal_scores, study, values_of
from warehouse.study import (
    TestSet,
    compare,
    evaluate,
)
from warehouse.study.comparison import contrast, paired
from warehouse.study.evaluate import replicated
from warehouse.study.together import simultaneous

NAMES = ("accuracy", "pearson", "xi", "mrr")


def test_a_contrast_of_two_is_their_paired_difference_and_of_equal_ones_nothing() -> None:
    cube, values = study()
    first, second = replicated(cube, values, [("accuracy", TestSet()), ("xi", TestSet())], replicates=100)
    assert contrast([(1.0, first), (-1.0, second)]) == paired(first, second).correlations["kendall"]
    assert contrast([(0.5, first), (0.5, first), (-1.0, first)]).high == 0.0
    assert contrast([]).value is None


def test_intervals_that_hold_at_once_are_wider_the_more_there_are_and_symmetric() -> None:
    cube, values = study()
    plain, *others = replicated(cube, values, [(name, TestSet()) for name in NAMES], replicates=300)
    alone, together = simultaneous(others[:1], plain).differences[0], simultaneous(others, plain).differences
    assert together[0].value == paired(others[0], plain).correlations["kendall"].value
    assert together[0].high is not None
    assert alone.high is not None
    assert together[0].high > alone.high
    assert together[0].high - together[0].value == pytest.approx(together[0].value - together[0].low)  # type: ignore[operator]
    same = simultaneous([plain, *others], plain).differences
    assert (same[0].low, same[0].high) == (0.0, 0.0)
    assert same[1:] == together


def test_intervals_that_hold_at_once_miss_seldom_where_nothing_differs() -> None:
    """Twelve ways of measuring that are alike but for chance: some clear difference comes in about one study of 20."""
    missed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        scores = normal_scores(rng, np.linspace(0.3, 1.5, 6), 24 * 13, 4)
        values = values_of(normal_scores(rng, np.linspace(0.3, 1.5, 6), 60, 8), 8)
        cubes = [cube_of(scores[:, 24 * part : 24 * (part + 1)]) for part in range(13)]
        found = [replicated(cube, values, [("accuracy", TestSet())], replicates=100, seed=seed)[0] for cube in cubes]
        told = simultaneous(found[1:], found[0])
        missed += any(p is not None and p < 0.05 for p in told.p_values)
    assert missed <= 6


def test_two_reward_models_have_no_difference_at_all() -> None:
    cube, values = study(M=2)
    first, second = replicated(cube, values, [("accuracy", TestSet()), ("xi", TestSet())], replicates=50)
    assert simultaneous([second], first).differences[0].value is None
    assert contrast([(1.0, first), (-1.0, second)]).value is None


def test_a_part_of_the_reward_models_has_its_own_figure_and_is_drawn_with_the_whole() -> None:
    cube, values = study(M=7)
    part = np.array([True, True, False, True, True, False, True])
    names = [name for name, kept in zip(cube.reward_models, part, strict=True) if kept]
    job = [("accuracy", TestSet())]
    (among,) = replicated(cube, values, job, replicates=200, among=part)
    alone = evaluate(cube.of_reward_models(names), values.of_reward_models(names), replicates=200)
    for name in ("kendall", "spearman", "pearson", "mrr"):
        assert among.evaluation.correlations[name].value == pytest.approx(alone.correlations[name].value)
        assert among.evaluation.within[name].value == pytest.approx(alone.within[name].value)
    assert among.evaluation.undefined_pairs == alone.undefined_pairs
    assert among.evaluation.value_defined_MM.sum() == 5 * 4
    (whole,) = replicated(cube, values, job, replicates=200)
    (all_of_them,) = replicated(cube, values, job, replicates=200, among=np.ones(7, dtype=bool))
    assert all_of_them.evaluation.correlations == whole.evaluation.correlations
    assert paired(among, whole).correlations["kendall"].low is not None


def test_a_measure_compared_with_itself_differs_by_nothing() -> None:
    cube, values = study()
    found = compare(cube, values, "accuracy", "accuracy", replicates=50)
    assert set(found.share_better.values()) == {0.5}
    for difference in [*found.correlations.values(), *found.within.values()]:
        assert (difference.value, difference.low, difference.high) == (0.0, 0.0, 0.0)


def test_a_paired_difference_has_the_greater_of_the_two_variances() -> None:
    cube, values = study()
    found = compare(cube, values, "spearman", "accuracy_pair", replicates=400)
    first, second = replicated(cube, values, [("spearman", TestSet()), ("accuracy_pair", TestSet())], replicates=400)
    drawn = first.pooled["pearson"][0] - second.pooled["pearson"][0]
    left_out = drawn[first.rows.left_out]
    jackknife = 5 / 6 * ((left_out - left_out.mean()) ** 2).sum()
    half = stats.t.ppf(0.975, 5) * np.sqrt(max(jackknife, drawn[first.rows.prompts].var()))
    estimate = found.correlations["pearson"]
    plain = [side.correlations["pearson"].sample.value for side in (found.first, found.second)]
    assert estimate.value == pytest.approx(plain[0] - plain[1])  # type: ignore[operator]
    assert (estimate.low, estimate.high) == pytest.approx((drawn[0] - half, drawn[0] + half))
    se = half / stats.t.ppf(0.975, 5)
    assert found.share_better["pearson"] == pytest.approx(stats.t.cdf(drawn[0] / se, 5))


def test_two_test_sets_of_one_measure_can_be_compared() -> None:
    cube, values = study()
    found = compare(cube, values, "accuracy", "accuracy", second_test_set=TestSet(categories=("Chat",)), replicates=50)
    assert (found.first.prompts_used, found.second.prompts_used) == (60, 15)
    assert found.correlations["kendall"].replicates == 12
    assert compare(*study(M=2), "accuracy", "xi", replicates=9).share_better["kendall"] is None
