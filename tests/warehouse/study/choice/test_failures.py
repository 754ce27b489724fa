"""Where reward models fail is found where it is planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from warehouse.metrics.cube import ScoreCube, score_cube
from warehouse.study.choice import failures
from warehouse.study.choice.worth import Sides, best_of_n, of_policies, spread_within

GOLDEN, GOOD, LONG, UNSAFE = range(4)


@pytest.fixture(scope="module")
def planted() -> tuple[ScoreCube, np.ndarray]:
    """A golden, a good reward model, one that likes length alone, and one that is reversed in category Safety."""
    rng = np.random.default_rng(0)
    P, N = 60, 9
    golden = rng.standard_normal((P, N))
    lengths = rng.permuted(np.tile(np.arange(1, N + 1), (P, 1)), axis=1)
    is_safety = np.arange(P) % 3 == 0
    unsafe = np.where(is_safety[:, None], -golden, golden)
    scores = score_cube(
        np.stack([golden, golden + 0.2 * rng.standard_normal((P, N)), lengths + 0.0, unsafe]),
        reward_models=["golden", "good", "long", "unsafe"],
        categories=["Safety" if safety else "Chat" for safety in is_safety],
    )
    return scores, lengths


def test_the_category_that_it_is_wrong_about_is_below_zero(planted: tuple[ScoreCube, np.ndarray]) -> None:
    scores, _ = planted
    worth = of_policies(best_of_n(scores, 4), Sides([0], [1, 2, 3]), spread_within(scores))
    parts = {(part.candidate, part.part): part for part in failures.by_part(worth, worth.categories)}
    assert parts["unsafe", "Safety"].prompts == 20
    high = parts["unsafe", "Safety"].worth.high
    low = parts["unsafe", "Chat"].worth.low
    assert high is not None
    assert low is not None
    assert high < 0 < low


def test_picks_of_what_likes_length_are_in_the_longest_third(planted: tuple[ScoreCube, np.ndarray]) -> None:
    scores, lengths = planted
    golden = scores.scores_MPR[GOLDEN].astype(np.float64)
    rows = failures.by_thirds(scores, LONG, lengths, golden, 4)
    shares = [row.share.value for row in rows]
    assert sum(share for share in shares if share is not None) == pytest.approx(1.0)
    assert shares[2] == pytest.approx(1 - 15 / 126)  # all of 4 from the lower six of 9: C(6,4)/C(9,4)
    ranks = failures.by_thirds(scores, GOOD, golden, golden, 4)
    assert ranks[2].share.value is not None
    assert ranks[2].share.value > 0.8
    assert ranks[2].gain is not None
    assert ranks[0].gain is not None
    assert ranks[2].gain > 0 > ranks[0].gain


def test_how_often_the_favourite_is_the_goldens_worst_is_counted_over_prompts_of_any_size() -> None:
    rng = np.random.default_rng(1)
    whole = rng.standard_normal((2, 30, 5))
    whole[1] = -whole[0]
    counts = np.array([2, 5] * 15)
    inside = np.arange(5) < counts[:, None]
    scores = replace(score_cube(np.where(inside, whole, 0.0)), responses_P=counts)
    share, chance = failures.picks_the_worst(scores, 0, 1)
    assert share.value == 1.0
    assert share.replicates == 30
    assert chance == pytest.approx((1 / 2 + 1 / 5) / 2)


def test_the_prompts_that_lose_most_come_first_with_both_picks(planted: tuple[ScoreCube, np.ndarray]) -> None:
    scores, _ = planted
    golden = scores.scores_MPR[GOLDEN].astype(np.float64)
    losses = failures.worst_prompts(scores, UNSAFE, golden, 5)
    assert len(losses) == 5
    assert all(scores.categories[loss.prompt] == "Safety" for loss in losses)
    for loss in losses:
        row = golden[loss.prompt]
        assert loss.pick == row.argmin()
        assert loss.best == row.argmax()
        assert loss.loss == pytest.approx(row.max() - row.min())
    assert [loss.loss for loss in losses] == sorted((loss.loss for loss in losses), reverse=True)
    assert failures.worst_prompts(scores, GOLDEN, golden, 5) == []


def test_how_often_the_favourite_is_wrong_is_counted_and_compared_with_a_random_response() -> None:
    right = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    likes_first = np.tile([3.0, 2.0, 1.0], (3, 1))
    share, chance = failures.picks_wrong(score_cube(np.stack([right, likes_first])), 1, right)
    assert share.value == pytest.approx(2 / 3)
    assert chance == pytest.approx((2 / 3 + 1 / 3 + 2 / 3) / 3)
