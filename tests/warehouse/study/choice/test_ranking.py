"""Orders, groups and chances of reward models; that they keep their promises where the truth is planted."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.planted_choice import Choice, calibrated
from warehouse.errors import InvalidChoice
from warehouse.study.choice.ranking import ranked
from warehouse.study.choice.worth import Unit, Worth


def worth(values_MQ: np.ndarray, unit: Unit = "sd") -> Worth:
    M, Q = values_MQ.shape
    prompts = tuple(f"q{number}" for number in range(Q))
    return Worth(values_MQ, tuple("abcdefgh"[:M]), ("golden",), unit, prompts, ("all",) * Q, ("all",) * Q)


def test_the_best_is_first_and_a_clear_gap_makes_two_groups() -> None:
    rng = np.random.default_rng(0)
    common = rng.standard_normal(80)
    ranking = ranked(worth(np.stack([common, common + 1 + 0.1 * rng.standard_normal(80), common + 0.9])))
    assert ranking.names[2] == "a"
    assert ranking.groups[2] not in ranking.groups[:2]
    assert ranking.may_be_best == tuple(name for name in ranking.names if name != "a")[: len(ranking.may_be_best)]
    assert ranking.beats_MM[0, 2] > 0.999
    assert ranking.better_MM[0, 2] == 1.0
    assert np.allclose(ranking.beats_MM + ranking.beats_MM.T, 1.0)
    assert np.allclose(ranking.better_MM + ranking.better_MM.T, 1.0)


def test_prompts_are_paired_so_a_small_steady_difference_shows_under_large_common_noise() -> None:
    rng = np.random.default_rng(1)
    common = 10 * rng.standard_normal(60)
    ranking = ranked(worth(np.stack([common, common + 0.1 + 0.1 * rng.standard_normal(60)])))
    assert ranking.may_be_best == ("b",)
    first, second = ranking.estimates
    assert first.low is not None
    assert second.high is not None
    assert first.low < second.high


def test_equal_reward_models_share_all_groups_and_are_even() -> None:
    values = np.random.default_rng(2).standard_normal(30)
    ranking = ranked(worth(np.stack([values, values])))
    assert ranking.p_MM[0, 1] == 1.0
    assert ranking.beats_MM[0, 1] == 0.5
    assert ranking.better_MM[0, 1] == 0.5
    assert ranking.groups == ((1,), (1,))
    assert ranking.names == ("a", "b")


@pytest.mark.parametrize(("unlike", "told"), [(5, False), (8, True)])
def test_no_two_are_told_apart_by_five_prompts_however_alike_these_are(unlike: int, told: bool) -> None:
    right, wrong = np.ones(unlike), np.zeros(unlike)
    ranking = ranked(worth(np.stack([right, wrong]), "share"))
    assert (ranking.may_be_best == ("a",)) == told
    assert ranking.beats_MM[0, 1] == pytest.approx(1 - 0.5 ** (unlike + 1))


def test_a_share_that_never_varies_has_an_interval_all_the_same_and_none_leaves_0_to_1() -> None:
    ranking = ranked(worth(np.stack([np.ones(20), np.array([1.0] * 19 + [0.0])]), "share"))
    first, second = ranking.estimates
    assert first.low is not None
    assert 0.8 < first.low < 0.9
    assert first.high == 1.0
    assert second.high == 1.0


def test_intervals_for_all_at_once_are_wider_than_those_of_each() -> None:
    ranking = ranked(worth(np.random.default_rng(3).standard_normal((8, 50))))
    for alone, together in zip(ranking.estimates, ranking.together, strict=True):
        assert None not in (alone.low, alone.high, together.low, together.high)
        assert together.low < alone.low
        assert together.high > alone.high


def test_one_prompt_compares_nothing() -> None:
    with pytest.raises(InvalidChoice, match="two prompts or more; there are 1"):
        ranked(worth(np.ones((3, 1))))


@pytest.mark.parametrize("choice", [Choice("two best", M=5, Q=60), Choice("all equal", M=5, Q=60, labels=True)])
def test_intervals_cover_all_at_once_and_the_best_is_in_the_first_group(choice: Choice) -> None:
    """60 studies: a true 95 % gives 53 or more in 99.7 % of cases."""
    kept = calibrated(choice, 60)
    assert kept.together >= 53 / 60
    assert kept.best_in_first >= 53 / 60
    assert kept.no_false_pair >= 53 / 60
    assert 0.91 <= kept.alone <= 0.99


def test_the_chance_that_one_beats_the_other_is_as_often_right_as_it_says() -> None:
    kept = calibrated(Choice("drawn", M=5, Q=60), 60)
    assert abs(kept.sure - kept.right) < 0.08
