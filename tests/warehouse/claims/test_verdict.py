"""`claims/verdict.py`: a verdict is where the interval lies against a bound that was fixed before."""

from __future__ import annotations

import pytest

from warehouse.claims.verdict import MEANING, SAID, above, apart, below, negated, predicting
from warehouse.study import Estimate

OPEN = "cannot be told at this size"


def test_pages_use_the_word_of_the_findings() -> None:
    assert [verdict for verdict, said in SAID.items() if not verdict.startswith(said.lower())] == []
    assert set(SAID) == set(MEANING)


def of(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 100)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.9, "holds"), (-0.3, -0.1, "refuted"), (-0.3, 0.4, OPEN), (-0.01, 0.04, "refuted")],
)
def test_above_holds_fails_or_is_open_and_a_negligible_difference_is_none(
    low: float, high: float, verdict: str
) -> None:
    assert above(of(low, high)) == verdict
    assert below(of(-high, -low)) == verdict


def test_nothing_is_negligible_at_a_bound_other_than_0() -> None:
    assert above(of(0.0, 0.06)) == OPEN
    assert above(of(0.79, 0.84), 0.8) == OPEN
    assert below(of(0.78, 0.81), 0.8) == OPEN
    assert below(of(0.5, 0.79), 0.8) == "holds"
    assert below(of(0.81, 0.9), 0.8) == "refuted"


def test_a_figure_outside_of_its_interval_has_to_be_on_the_same_side() -> None:
    assert below(Estimate(0.85, 0.5, 0.79, 100), 0.8) == OPEN
    assert above(Estimate(0.06, -0.4, 0.04, 100)) == OPEN
    assert below(Estimate(0.75, 0.5, 0.72, 100), 0.8) == "holds"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.9, "holds"), (-0.9, -0.1, "holds"), (-0.04, 0.04, "refuted"), (-0.2, 0.04, OPEN), (-0.2, 0.2, OPEN)],
)
def test_apart_goes_both_ways(low: float, high: float, verdict: str) -> None:
    assert apart(of(low, high)) == verdict


def test_without_a_figure_or_an_interval_nothing_is_decided() -> None:
    nothing = Estimate(None, None, None, 0)
    assert above(nothing) == below(nothing) == apart(nothing) == "undefined"
    assert above(Estimate(0.5, None, None, 0)) == "undefined"
    assert above(Estimate(0.5, 0.1, None, 10)) == "undefined"


def test_minus_an_estimate_turns_its_interval_round() -> None:
    assert negated(Estimate(0.5, 0.1, 0.7, 10)) == Estimate(-0.5, -0.7, -0.1, 10)
    assert negated(Estimate(None, None, None, 0)) == Estimate(None, None, None, 0)


@pytest.mark.parametrize(
    ("estimate", "p_value", "verdict"),
    [
        (of(0.1, 0.7), 0.01, "holds"),
        (of(-0.05, 0.75), 0.02, "holds"),
        (of(0.1, 0.7), 0.05, OPEN),
        (of(0.1, 0.7), None, OPEN),
        (of(-0.7, -0.1), 0.01, "refuted"),
        (of(-0.7, 0.2), 0.01, OPEN),
        (Estimate.undefined(), 0.01, "undefined"),
    ],
)
def test_whether_it_predicts_is_decided_by_the_permutation_test_and_the_interval_says_no(
    estimate: Estimate, p_value: float | None, verdict: str
) -> None:
    assert predicting(estimate, p_value) == verdict
