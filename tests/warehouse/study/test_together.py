"""Many comparisons at once: the stepdown rule, joint deviations and groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.helpers.planted import Planted, Size
from tests.warehouse.study.simulate import study
from warehouse.metrics.test_set import TestSet
from warehouse.stats.bootstrap import Estimate
from warehouse.stats.correlation import Figure
from warehouse.stats.resampling import rows_for
from warehouse.study.comparison import of_difference, replicated_on_all
from warehouse.study.evaluate import replicated
from warehouse.study.together import all_at_once, boards, groups, joint_deviations

ROWS = rows_for((True,) * 12, (True,) * 12, 640, 0)


def figure(value: float, sd: float, seed: int) -> Figure:
    """A figure of this value that leaving out reward models and drawing prompts changes independently of others."""
    rng = np.random.default_rng(seed)
    values = np.full(ROWS.count, value)
    for part, scale in ((ROWS.left_out, sd / np.sqrt(11)), (ROWS.prompts, 0.5 * sd)):
        drawn = rng.standard_normal(part.stop - part.start)
        values[part] += scale * (drawn - drawn.mean()) / drawn.std()
    return values, np.ones(ROWS.count, dtype=bool)


def test_deviations_have_the_joint_covariance_of_reward_models_and_prompts() -> None:
    first, second = figure(0.5, 0.1, 1), figure(0.2, 0.2, 2)
    deviation_BL = joint_deviations(ROWS, [first, second, first], seed=0)
    expected = 0.1**2 * (1 + 0.25)
    assert deviation_BL.var(axis=0) == pytest.approx([expected, 4 * expected, expected], rel=0.1)
    np.testing.assert_allclose(deviation_BL[:, 0], deviation_BL[:, 2])


def test_adjusted_p_values_are_no_smaller_than_alone_and_grow_with_company() -> None:
    told = figure(0.5, 0.1, 1)
    noise = [figure(0.0, 0.1, seed) for seed in range(2, 12)]
    alone, together = all_at_once(ROWS, [told]), all_at_once(ROWS, [told, *noise])
    assert alone.p_values[0] is not None
    assert together.p_values[0] is not None
    assert alone.p_values[0] <= together.p_values[0] < 0.05
    assert all(p is not None and p > 0.05 for p in together.p_values[1:])
    wide = together.differences[0]
    assert wide.low is not None
    assert wide.low < of_difference(ROWS, told).low  # type: ignore[operator]


def test_what_is_told_first_does_not_count_against_the_rest() -> None:
    """Stepdown: with nine clear differences gone, the tenth is judged as if alone."""
    clear = [figure(0.9, 0.1, seed) for seed in range(9)]
    weak = figure(0.27, 0.1, 20)
    p_alone, p_last = (all_at_once(ROWS, figures).p_values[-1] for figures in ([weak], [*clear, weak]))
    assert p_alone == pytest.approx(p_last, abs=0.01)
    assert all_at_once(ROWS, [*[figure(0.0, 0.1, seed) for seed in range(9)], weak]).p_values[-1] > p_alone  # type: ignore[operator]


def test_a_difference_that_is_never_there_has_no_width_and_an_undefined_one_no_p_value() -> None:
    zero = np.zeros(ROWS.count), np.ones(ROWS.count, dtype=bool)
    nothing = np.zeros(ROWS.count), np.zeros(ROWS.count, dtype=bool)
    together = all_at_once(ROWS, [zero, nothing, figure(0.1, 0.1, 3)])
    assert (together.differences[0].low, together.differences[0].high, together.p_values[0]) == (0.0, 0.0, 1.0)
    assert together.differences[1].value is None
    assert together.p_values[1] is None


def test_a_difference_that_nothing_changes_but_is_not_0_says_nothing_of_other_studies() -> None:
    always = np.full(ROWS.count, 0.5), np.ones(ROWS.count, dtype=bool)
    together = all_at_once(ROWS, [always, figure(0.1, 0.1, 3)])
    assert (together.differences[0].low, together.differences[0].high, together.p_values[0]) == (-2.0, 2.0, None)
    assert of_difference(ROWS, always, 1.0).low == -1.0


def test_intervals_for_all_at_once_end_where_no_difference_is_greater_and_p_values_do_not_feel_it() -> None:
    wild = [figure(0.9, 0.8, seed) for seed in range(6)]
    inside, beyond = (all_at_once(ROWS, wild, most=most) for most in (1.0, 10.0))
    for clipped, whole in zip(inside.differences, beyond.differences, strict=True):
        assert (clipped.value, clipped.high) == (whole.value, 1.0)
        assert clipped.low == max(whole.low, -1.0)  # type: ignore[type-var]
        assert whole.high > 2.0  # type: ignore[operator]
    assert inside.p_values == beyond.p_values


def test_a_group_in_common_says_that_two_are_alike_also_where_a_sharper_one_lies_between() -> None:
    """The middle of five is known well and differs from both of its neighbours, which differ from no other."""
    figures = [figure(value, sd, seed) for seed, (value, sd) in enumerate([(0.9, 0.3), (0.5, 0.3), (0.1, 0.3)])]
    sharp = [figure(0.8, 0.01, 8), figure(0.2, 0.01, 9)]
    numbers = groups(ROWS, [figures[0], sharp[0], figures[1], sharp[1], figures[2]])
    alike = np.array([[bool({*a} & {*b}) for b in numbers] for a in numbers])
    expected = np.ones((5, 5), dtype=bool)
    expected[1, 3] = expected[3, 1] = False
    assert np.array_equal(alike, expected)
    assert 1 in numbers[0]


def test_what_rounding_leaves_is_no_difference() -> None:
    rounding = figure(1e-14, 1e-15, 1)
    assert of_difference(ROWS, rounding) == Estimate(0.0, 0.0, 0.0, ROWS.prompts.stop - ROWS.prompts.start)


def test_differences_of_mrr_lie_within_1_of_0() -> None:
    parts = replicated_on_all(*study(M=4, P=20, Q=20), ("accuracy", "reward_variance", "ece"), replicates=20)
    (board,) = boards(parts, "accuracy")
    for name in ("reward_variance", "ece"):
        for estimate in (board.adjusted["mrr", "pooled"][name].difference, board.comparisons[name].within["mrr"]):
            assert -1.0 <= estimate.low <= estimate.value <= estimate.high <= 1.0  # type: ignore[operator]


def test_groups_hold_what_cannot_be_told_apart() -> None:
    high = [figure(0.9, 0.01, 1), figure(0.9, 0.01, 2)]
    low = [figure(0.3, 0.01, 3), figure(0.3, 0.01, 4)]
    undefined = np.zeros(ROWS.count), np.zeros(ROWS.count, dtype=bool)
    assert groups(ROWS, [low[0], high[0], undefined, high[1], low[1]]) == ((2,), (1,), (), (1,), (2,))
    assert groups(ROWS, [undefined]) == ((),)
    between = figure(0.6, 0.3, 5)
    assert groups(ROWS, [high[0], between, low[0]]) == ((1,), (1, 2), (2,))


def test_a_leaderboard_adjusts_over_all_its_test_sets_and_letters_within_each() -> None:
    study = Planted("ppo", Size(M=10, P=48, R=3)).study(0)
    halves = [TestSet(prompts=24, seed=seed) for seed in (0, 1)]
    names = ("accuracy", "spearman", "reward_variance", "accuracy_pair")
    parts = replicated_on_all(study.cube, study.values, names, test_sets=halves, replicates=200)
    key = ("kendall", "pooled")
    both = boards(parts, "accuracy_pair", selected=(key,))
    (alone,) = boards(parts[:1], "accuracy_pair", selected=(key,), grouped=False)
    assert [tuple(board.comparisons) for board in both] == [names, names]
    for board, of_test_set in zip(both, parts, strict=True):
        assert board.adjusted[key]["accuracy_pair"].p_value is None
        assert board.adjusted[key]["accuracy_pair"].difference.value is None
        figures = [of_test_set[name].pooled["kendall"] for name in names]
        expected = groups(of_test_set["accuracy"].rows, figures)
        assert tuple(board.adjusted[key][name].groups for name in names) == expected
        for name in names[:-1]:
            value = board.comparisons[name].correlations["kendall"].value
            assert board.adjusted[key][name].difference.value == value
    for name in names[:-1]:
        wide, narrow = both[0].adjusted[key][name], alone.adjusted[key][name]
        assert narrow.groups == ()
        assert wide.difference.low <= narrow.difference.low  # type: ignore[operator]
        assert wide.p_value >= narrow.p_value - 0.01  # type: ignore[operator]


def test_one_difference_alone_has_its_own_interval_and_the_p_value_of_students_t() -> None:
    one = figure(0.2, 0.1, 1)
    together, own = all_at_once(ROWS, [one]), of_difference(ROWS, one)
    assert together.differences == (own,)
    standard_error = (own.high - own.value) / stats.t.ppf(0.975, 11)  # type: ignore[operator]
    assert together.p_values[0] == pytest.approx(2 * stats.t.sf(own.value / standard_error, 11), rel=1e-6)


def test_equal_test_sets_differ_in_about_one_study_of_twenty_or_less() -> None:
    planted, groups_of_prompts = Planted("ppo", Size(M=8, P=96, R=2)), 4
    rejected = 0
    for seed in range(40):
        study = planted.study(seed)
        cube = study.cube.__class__(
            study.cube.scores_MPR,
            study.cube.reward_models,
            study.cube.prompts,
            tuple(f"g{p % groups_of_prompts}" for p in range(96)),
            study.cube.subsets,
        )
        jobs = [("accuracy", TestSet(categories=(f"g{number}",))) for number in range(groups_of_prompts)]
        first, *rest = replicated(cube, study.values, jobs, replicates=240, selected=(("kendall", "pooled"),))
        figures = [
            (part.pooled["kendall"][0] - first.pooled["kendall"][0], np.ones(part.rows.count, dtype=bool))
            for part in rest
        ]
        rejected += any(p is not None and p < 0.05 for p in all_at_once(first.rows, figures).p_values)
    assert rejected <= 5
