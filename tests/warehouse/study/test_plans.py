"""`warehouse/study/plans.py`: what to do with an annotation budget."""

from __future__ import annotations

import numpy as np
import pytest

from tests.warehouse.study.simulate import study
from warehouse.errors import InvalidChoice
from warehouse.study import TestSet, compare, evaluate
from warehouse.study.plans import MOST_SPLITS, PLAIN, PLANNED, Plan, advise, annotation_plans, thinned

CUBE, VALUES = study(M=6, P=40, R=5)
BUDGET, NOISE, REPLICATES = 60, 0.2, 100


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    return annotation_plans(CUBE, VALUES, BUDGET, noise=NOISE, replicates=REPLICATES)


def test_every_split_is_tried_under_every_measure_and_none_costs_more_than_the_budget(plans: list[Plan]) -> None:
    assert {(plan.measure, plan.responses, plan.prompts) for plan in plans} == {
        (measure, responses, BUDGET // responses) for measure in PLANNED for responses in (2, 3, 4, 5)
    }


def test_a_plan_is_the_evaluation_of_its_test_set(plans: list[Plan]) -> None:
    plan = next(plan for plan in plans if (plan.measure, plan.responses) == ("kendall", 3))
    test_set = TestSet(responses=3, budget=BUDGET, noise=NOISE)
    alone = evaluate(CUBE, VALUES, measure="kendall", test_set=test_set, replicates=REPLICATES)
    assert plan.figure("pearson", "within") == alone.within["pearson"]


@pytest.mark.parametrize("correlation", ["kendall", "pearson"])
def test_the_advice_is_the_greatest_and_the_others_are_behind_it_by_the_paired_difference(
    plans: list[Plan], correlation: str
) -> None:
    advice = advise(plans, correlation)
    assert advice is not None
    values = [plan.figure(correlation, "pooled").sample.value for plan in plans]
    assert values[advice.best] == max(value for value in values if value is not None)
    best, plain = plans[advice.best], plans[advice.plain]
    assert (plain.measure, plain.responses) == (PLAIN, 2)
    paired = compare(
        CUBE,
        VALUES,
        best.measure,
        plain.measure,
        test_set=TestSet(responses=best.responses, budget=BUDGET, noise=NOISE),
        second_test_set=TestSet(responses=2, budget=BUDGET, noise=NOISE),
        replicates=REPLICATES,
    )
    assert advice.behind[advice.plain] == paired.correlations[correlation]


def test_the_shares_in_which_a_plan_is_the_greatest_make_one(plans: list[Plan]) -> None:
    advice = advise(plans)
    assert advice is not None
    for plan, share in zip(plans, advice.shares, strict=True):
        assert (share is None) == (plan.figure("kendall", "pooled").value is None)
    assert sum(share for share in advice.shares if share is not None) == pytest.approx(1)


def test_no_advice_where_nothing_is_defined() -> None:
    two, values = study(M=2, P=20, R=3)
    assert advise(annotation_plans(two, values, 20, replicates=10)) is None


@pytest.mark.parametrize("budget", [3, 40 * 5 + 5])
def test_a_budget_that_no_split_spends_is_refused(budget: int) -> None:
    with pytest.raises(InvalidChoice, match="cannot be spent on 40 prompts"):
        annotation_plans(CUBE, VALUES, budget, replicates=10)


def test_many_splits_are_thinned_evenly_in_ratio_with_both_ends_kept() -> None:
    few = thinned(range(2, 65), MOST_SPLITS)
    assert (few[0], few[-1], len(few)) == (2, 64, MOST_SPLITS)
    ratios = np.divide(few[1:], few[:-1])
    assert ratios.max() / ratios.min() < 1.5
    assert thinned([2, 3, 4], MOST_SPLITS) == [2, 3, 4]
