"""Reward models by an outcome: order, groups, chances, and that they keep their promises where the truth is planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.helpers.planted_outcomes import GOLDEN, PlantedOutcomes
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.test_set import TestSet
from warehouse.study.choice.by_outcome import by_outcome, ordered
from warehouse.study.outcomes import predict
from warehouse.study.outcomes.outcome import outcome

NAMES = tuple("abcdefgh")


def test_the_best_is_first_and_what_is_far_apart_shares_no_group() -> None:
    order = ordered(outcome("elo", [1000, 1100, 1095], NAMES[:3], [10, 10, 10]))
    assert order.names == ("b", "c", "a")
    assert order.may_be_best == ("b", "c")
    assert order.groups == ((1,), (1,), (2,))
    assert order.beats_MM[0, 1] == pytest.approx(stats.norm.cdf(5 / np.sqrt(200)))
    assert np.allclose(order.beats_MM + order.beats_MM.T, 1.0)
    assert order.behind == pytest.approx(2.34 * np.sqrt(200) - 5, abs=0.9)  # Tukey's range of three


def test_intervals_are_normal_and_those_for_all_at_once_are_exact() -> None:
    order = ordered(outcome("elo", [3.0, 2.0, 1.0, 0.0], NAMES[:4], [0.5, 1.0, 1.0, 2.0]))
    assert (order.estimates[0].low, order.estimates[0].high) == pytest.approx((3 - 0.98, 3 + 0.98), abs=1e-3)
    reach = stats.norm.ppf(0.5 + 0.95**0.25 / 2)
    assert order.together[3].high == pytest.approx(2.0 * reach)


@pytest.mark.parametrize("kind", ["all equal", "two best", "a ladder"])
def test_intervals_hold_for_all_at_once_and_no_pair_is_told_apart_falsely(kind: str) -> None:
    """300 studies of 8 reward models with unequal errors: a true 95 % gives 273 or more in 99.9 % of cases."""
    truth = {"all equal": np.zeros(8), "two best": np.r_[2.0, 2.0, np.zeros(6)], "a ladder": np.linspace(3, 0, 8)}[kind]
    rng = np.random.default_rng(4)
    kept = np.zeros(4)
    for seed in range(300):
        errors = rng.uniform(0.3, 1.5, 8)
        order = ordered(outcome("elo", truth + errors * rng.standard_normal(8), NAMES, errors.tolist()), seed)
        true = truth[[NAMES.index(name) for name in order.names]]
        false = (order.p_MM < 0.05) & np.triu(true[:, None] <= true, 1)
        kept += (
            all(each.low <= t <= each.high for each, t in zip(order.together, true, strict=True)),
            not false.any(),
            max(true) in [t for t, name in zip(true, order.names, strict=True) if name in order.may_be_best],
            max(true) - true[0] <= order.behind,
        )
    assert (kept >= 273).all()
    if kind == "all equal":
        assert kept[0] <= 297  # no wider than promised
        assert kept[1] <= 297


def test_without_standard_errors_there_is_an_order_and_nothing_else() -> None:
    order = ordered(outcome("win rate", [0.4, 0.6, 0.5], NAMES[:3]))
    assert order.names == ("b", "c", "a")
    assert order.groups == ((), (), ())
    assert all(each.low is None and each.value is not None for each in (*order.estimates, *order.together))
    assert np.isnan(order.behind)
    assert np.isnan(order.beats_MM[0, 1])
    assert order.may_be_best == order.names


def test_those_without_a_standard_error_are_not_compared_and_the_others_are() -> None:
    order = ordered(outcome("elo", [1000, 1200, 900], NAMES[:3], [5, None, 5]))
    assert order.groups == ((), (1,), (2,))
    assert order.may_be_best == ("b", "a", "c")  # b cannot rule them out
    assert np.isnan(order.p_MM[0, 1])
    assert order.p_MM[1, 2] < 0.05


def test_measures_rank_the_same_reward_models_and_say_how_well_they_predict() -> None:
    cube, elo = PlantedOutcomes(M=8, P=60).study(1)
    candidates = [*elo.reward_models, "newcomer"]
    answer = by_outcome(elo, candidates, cube, replicates=100)
    assert answer.left_out == ("newcomer",)
    assert answer.goldens == (GOLDEN,)
    alone = predict(cube, elo, replicates=100)
    values = answer.values("accuracy")
    for name, value in zip(answer.order.names, values, strict=True):
        assert value == pytest.approx(alone.value_K[elo.reward_models.index(name)])
    expected = stats.rankdata([-value for value in values if value is not None], method="min")
    assert answer.ranks("accuracy") == tuple(expected)
    tau = answer.predictions["accuracy"].correlations["kendall"]
    assert tau.value == pytest.approx(alone.correlations["kendall"].value)


def test_a_golden_that_has_the_outcome_is_ranked_by_it_but_not_by_measures() -> None:
    cube, elo = PlantedOutcomes(M=6, P=20).study(2)
    answer = by_outcome(elo, elo.reward_models, cube.with_goldens(["rm-03"]), replicates=20)
    ranks = dict(zip(answer.order.names, answer.ranks("accuracy"), strict=True))
    assert ranks["rm-03"] is None
    assert sorted(rank for rank in ranks.values() if rank) == [1, 2, 3, 4, 5]


def test_what_cannot_be_measured_is_said_and_what_cannot_be_chosen_is_an_error() -> None:
    cube, elo = PlantedOutcomes(M=6, P=20).study(2)
    assert by_outcome(elo, elo.reward_models, cube=None).unmeasured == "the run has no scores of RM-test prompts"
    two = elo.of(elo.reward_models[:2])
    alone = by_outcome(two, two.reward_models, cube.with_goldens(["rm-00"]))
    assert not alone.predictions
    assert "a correlation takes 5" in alone.unmeasured
    with pytest.raises(UnknownName, match="Chess"):
        by_outcome(elo, elo.reward_models, cube, test_set=TestSet(categories=("Chess",)))
    with pytest.raises(InvalidChoice, match="takes two reward models or more with outcome 'elo'; there are 1"):
        by_outcome(elo, elo.reward_models[:1], cube)
