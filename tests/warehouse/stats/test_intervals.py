"""The jackknife, the permutation test and intervals, against SciPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from warehouse.errors import InvalidChoice
from warehouse.stats import intervals
from warehouse.stats.bootstrap import Estimate
from warehouse.stats.correlation import Figure
from warehouse.stats.resampling import Rows, rows_for


def rows(M: int = 8, replicates: int = 320) -> Rows:
    return rows_for((True,) * M, (True,) * M, replicates, 0)


def figure(rows: Rows, sample: float, left_out: np.ndarray, prompts: float, renamed: float) -> Figure:
    """A figure whose prompts' and renamings' standard deviations are these."""
    value = np.full(rows.count, sample)
    value[rows.left_out] = left_out
    for part, sd in ((rows.prompts, prompts), (rows.permuted, renamed)):
        drawn = np.random.default_rng(part.start).standard_normal(part.stop - part.start)
        value[part] = sample * (part is rows.prompts) + sd * (drawn - drawn.mean()) / drawn.std()
    return value, np.ones(rows.count, dtype=bool)


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    data = np.random.default_rng(0).normal(size=30)
    left_out = np.array([np.delete(data, place).mean() for place in range(30)])
    result = intervals.jackknife(left_out)
    assert result.variance == pytest.approx(data.var(ddof=1) / 30)
    assert (result.influence**2).sum() == pytest.approx(result.variance)


def test_one_reward_model_that_decides_leaves_few_degrees_of_freedom() -> None:
    even, one = np.tile([0.1, -0.1], 10), np.zeros(20)
    one[3] = 0.4
    assert intervals.jackknife(even).degrees == 19
    assert intervals.jackknife(one).degrees == 4
    assert intervals.jackknife(np.zeros(4)).degrees == 3


def test_variances_of_reward_models_and_prompts_add_up_and_t_has_the_jackknifes_degrees() -> None:
    plan = rows()
    left_out = 0.5 + np.array([0.04, -0.04] * 4)
    estimate = figure(plan, 0.5, left_out, prompts=0.03, renamed=0.0)
    spread = intervals.spread_of(plan, estimate)
    assert spread is not None
    assert spread.variance == pytest.approx(8 / 5 * 7 / 8 * 8 * 0.04**2 + 0.03**2)
    result = intervals.around(0.5, spread)
    assert result.high - 0.5 == pytest.approx(stats.t.ppf(0.975, 7) * np.sqrt(spread.variance), rel=1e-3)


def test_a_jackknife_that_is_too_small_is_replaced_by_the_spread_of_renamings() -> None:
    plan = rows()
    estimate = figure(plan, 0.5, np.full(8, 0.5), prompts=0.0, renamed=0.2)
    spread = intervals.spread_of(plan, estimate)
    assert spread is not None
    assert spread.variance == pytest.approx(8 / 5 * (1 - 0.25) ** 2 * 0.04)


def test_a_perfect_figure_that_nothing_changes_is_not_certain_and_less_so_with_few_reward_models() -> None:
    widths = []
    for M in (4, 8, 16):
        plan = rows(M)
        spread = intervals.spread_of(plan, figure(plan, 1.0, np.ones(M), prompts=0.0, renamed=0.3))
        assert spread is not None
        assert spread.variance == pytest.approx(M / (M - 3) * (1 - (1 - 1 / M) ** 2) ** 2 * 0.09)
        widths.append(intervals.around(1.0, spread).low)
    assert widths == sorted(widths)
    plan = rows()
    varying = intervals.spread_of(plan, figure(plan, 1.0, np.ones(8), prompts=0.01, renamed=0.3))
    assert varying is not None
    assert varying.variance == pytest.approx(0.01**2)


def test_an_interval_is_clipped_to_its_range_and_an_error_widens_it() -> None:
    spread = intervals.Spread(0.01, 10.0, 5)
    assert intervals.around(0.95, spread).high == 1.0
    assert intervals.around(0.05, spread, low=0.0) == Estimate(0.05, 0.0, pytest.approx(0.05 + 0.2228, abs=1e-3), 5)
    assert intervals.around(0.5, spread, error=0.1).low < intervals.around(0.5, spread).low


def test_the_permutation_p_value_counts_the_sample_as_one_of_the_renamings() -> None:
    plan = rows()
    value, defined = figure(plan, 0.9, np.full(8, 0.9), prompts=0.0, renamed=0.1)
    renamed = plan.permuted.stop - plan.permuted.start
    assert intervals.permutation_p(plan, (value, defined)) == 1 / (1 + renamed)
    value[0] = 0.0
    assert intervals.permutation_p(plan, (value, defined)) == 1.0
    assert intervals.permutation_p(plan, (-value, defined), both_sides=False) <= 1.0
    defined[0] = False
    assert intervals.permutation_p(plan, (value, defined)) is None
    assert intervals.spread_of(plan, (value, defined)) is None


def test_even_with_very_few_replicates_a_p_value_can_be_below_a_twentieth() -> None:
    plan = rows(replicates=1)
    p_value = intervals.permutation_p(plan, figure(plan, 0.9, np.full(8, 0.9), prompts=0.0, renamed=0.1))
    assert p_value is not None
    assert p_value < 0.05


def test_t_is_scipys() -> None:
    assert intervals.t_quantile(5.0) == pytest.approx(stats.t.ppf(0.975, 5))
    assert intervals.t_share(1.3, 5.0) == pytest.approx(stats.t.cdf(1.3, 5))


def test_rows_are_equal_for_equal_arguments_and_shrink_for_very_many_reward_models() -> None:
    first = (True,) * 3 + (False,) * 6
    assert rows_for(first, first, 200, 1) is rows_for(first, first, 200, 1)
    assert rows(M=8, replicates=1000).count == 1 + 8 + 250 + 6 * 30 + 199
    assert rows(M=100, replicates=1000).count < 400
    assert not np.array_equal(rows_for(first, first, 200, 1).order, rows_for(first, first, 200, 2).order)
    with pytest.raises(InvalidChoice, match="replicates is 0"):
        rows_for(first, first, 0, 1)


def test_a_part_of_the_reward_models_is_renamed_and_counted_within_itself() -> None:
    some = (True, False, True, False, False, True)
    plan = rows_for(some, some, 160, 0)
    assert plan.goldens[0].tolist() == plan.proxies[0].tolist() == [1, 0, 1, 0, 0, 1]
    assert (plan.order[plan.permuted][:, [1, 3, 4]] == [1, 3, 4]).all()
    value = np.zeros(plan.count)
    value[plan.left_out] = np.arange(6)
    assert intervals.without_each(plan, (value, np.ones(plan.count, dtype=bool))).tolist() == [0, 2, 5]


def test_goldens_that_are_no_sample_of_reward_models_are_never_left_out_and_never_renamed() -> None:
    goldens, proxies = (True, True, False, False, False), (False, True, True, True, True)
    plan = rows_for(goldens, proxies, 160, 0)
    assert (plan.goldens == goldens).all()
    assert plan.proxies[plan.left_out].sum(axis=1).tolist() == [4, 3, 3, 3, 3]
    assert (plan.order[:, :2] == [0, 1]).all()
    assert (np.sort(plan.order[plan.permuted][:, 2:]) == [2, 3, 4]).all()
    assert len(np.unique(plan.order[plan.permuted], axis=0)) == 6
    assert plan.inside.tolist() == list(proxies)
