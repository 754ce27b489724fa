"""What a subset is good for: reliability with its interval, pairs told apart, saturated and noise subsets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.helpers.faulty import faulty_set
from tests.warehouse.study.simulate import cube_of, normal_scores
from warehouse.study.audit.right import rights
from warehouse.study.audit.subsets import (
    STANDARD,
    SubsetAudit,
    apart,
    from_chance,
    groups,
    reliability_of,
    subset_audits,
)


def _audits(seed: int = 0) -> dict[str, SubsetAudit]:
    cube = faulty_set(20, seed=seed).cube().with_goldens(("label",))
    audits = subset_audits(rights(cube), list(groups(cube.categories, cube.subsets)), replicates=200)
    return {audit.group.subset or audit.group.category or "all": audit for audit in audits}


def test_planted_subsets_are_called_what_they_are() -> None:
    noise, sound = [], []
    for seed in range(12):
        audits = _audits(seed)
        noise.append("at chance" in audits["noise"].verdicts)
        assert audits["easy"].verdicts == ("saturated",)
        sound.append(not any(audits[name].verdicts for name in ("plain", "hard", "Skills")))
        assert audits["easy"].apart == 0
        assert audits["plain"].apart > 10 * max(1, audits["noise"].apart)
        assert (audits["noise"].reliability.low or 0.0) < 0.5 < (audits["plain"].reliability.value or 0.0)
    assert min(sum(noise), sum(sound)) >= 10  # one of twenty is not, by chance


def test_reliability_is_the_correlation_of_two_such_tests_and_its_interval_covers_it() -> None:
    rng = np.random.default_rng(0)
    ability_M = rng.normal(size=25)
    P, noise = 40, 3.0
    truth = ability_M.var(ddof=1) / (ability_M.var(ddof=1) + noise**2 / P)
    tests = [ability_M[:, None] + noise * rng.normal(size=(25, P)) for _ in range(400)]
    estimates = [reliability_of(test) for test in tests]
    assert np.mean([estimate.value for estimate in estimates]) == pytest.approx(truth, abs=0.02)
    parallel = [np.corrcoef(a.mean(axis=1), b.mean(axis=1))[0, 1] for a, b in pairwise(tests)]
    assert np.mean(parallel) == pytest.approx(truth, abs=0.02)
    drawn = []
    for _ in range(400):  # other reward models too, as the interval has it
        test = rng.normal(size=25)[:, None] + noise * rng.normal(size=(25, P))
        low, high = reliability_of(test).low, reliability_of(test).high
        drawn.append((low or 0.0) <= 1.0 / (1.0 + noise**2 / P) <= (high or 0.0))
    assert np.mean(drawn) == pytest.approx(0.95, abs=0.03)


def test_reliability_of_a_hundred_items_is_what_that_many_have() -> None:
    rng = np.random.default_rng(1)
    cube = cube_of(normal_scores(rng, np.linspace(0.2, 2.0, 15), 4 * STANDARD, 2))
    right = rights(cube)
    long, short = (
        next(iter(subset_audits(right, list(groups(("a",) * P, ("a",) * P)), replicates=50)))
        for P in (4 * STANDARD, STANDARD)
    )
    assert long.reliability_100 == pytest.approx(short.reliability.value, abs=0.15)
    assert short.reliability_100 == pytest.approx(short.reliability.value)


def test_equal_reward_models_are_told_apart_in_a_twentieth_of_test_sets_at_most() -> None:
    rng = np.random.default_rng(2)
    common = rng.random((200, 60)) < 0.7  # items are easy or hard for all
    errors = [apart(np.where(rng.random((10, 60)) < 0.8, row, ~row).astype(float), seed=3).any() for row in common]
    assert 0.0 < np.mean(errors) <= 0.1


def test_unequal_reward_models_are_told_apart() -> None:
    rng = np.random.default_rng(3)
    right_MP = (rng.random((4, 300)) < np.array([0.5, 0.5, 0.75, 0.95])[:, None]).astype(float)
    expected = np.ones((4, 4), dtype=bool) & ~np.eye(4, dtype=bool)
    expected[0, 1] = expected[1, 0] = False
    np.testing.assert_array_equal(apart(right_MP), expected)
    assert from_chance(right_MP).tolist() == [False, False, True, True]


def test_a_difference_that_is_the_same_on_every_item_tells_apart() -> None:
    right_MP = np.array([[1.0] * 20, [0.0] * 20, [0.0] * 20])
    assert apart(right_MP)[0].tolist() == [False, True, True]
    assert not apart(right_MP)[1, 2]


def test_a_subset_that_ranks_reward_models_backwards_is_contrary() -> None:
    rng = np.random.default_rng(4)
    noise_M = np.geomspace(0.2, 4.0, 16)
    scores = np.concatenate([normal_scores(rng, noise, 150, 4) for noise in (noise_M, noise_M, noise_M[::-1])], axis=1)
    scores = np.concatenate([scores, normal_scores(rng, np.array([0.01]), 450, 4)])  # never used as golden below
    right = rights(cube_of(scores[:-1]))
    subsets = ("a",) * 150 + ("b",) * 150 + ("backwards",) * 150
    audits = subset_audits(right, list(groups(("one",) * 450, subsets)), replicates=50)
    assert {audit.group.subset: audit.verdicts for audit in audits}["backwards"] == ("contrary",)


def test_few_items_are_not_judged() -> None:
    right = rights(cube_of(np.random.default_rng(5).normal(size=(8, 30, 3))))
    audits = subset_audits(right, list(groups(("a",) * 30, ("s",) * 5 + ("t",) * 25)), replicates=50)
    small = next(audit for audit in audits if audit.group.subset == "s")
    assert small.verdicts == ("too few items",)
    assert small.reliability.value is None
    assert small.apart == 0


def test_a_level_of_one_group_is_left_out() -> None:
    named = [(group.category, group.subset) for group in groups(("x", "x", "y"), ("a", "b", "c"))]
    assert named == [(None, None), ("x", None), ("x", "a"), ("x", "b"), ("y", None)]
    assert [(group.category, group.subset) for group in groups(("x", "x"), ("a", "a"))] == [(None, None)]


def test_a_few_items_on_which_two_differ_do_not_tell_them_apart() -> None:
    right_MP = np.ones((2, 400))
    right_MP[1, :5] = 0.0  # t is 2.3, but five coins fall on one side in one of sixteen cases
    assert not apart(right_MP).any()
    right_MP[1, :8] = 0.0
    assert apart(right_MP)[0, 1]
