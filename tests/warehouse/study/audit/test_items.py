"""Statistics of items: false discoveries under nothing to find, and power against planted faults."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.helpers.faulty import faulty_set
from tests.warehouse.study.simulate import cube_of, normal_scores
from warehouse.study.audit.items import FEWEST_MODELS, adjusted, items, spearman_with_rest
from warehouse.study.audit.right import rights


def test_adjusted_p_values_are_those_of_benjamini_and_hochberg() -> None:
    p_P = np.random.default_rng(1).random(30) ** 2
    tested_P = np.arange(30) % 3 != 0
    q_P = adjusted(p_P, tested_P)
    np.testing.assert_allclose(q_P[tested_P], stats.false_discovery_control(p_P[tested_P]))
    assert (q_P[~tested_P] == 1.0).all()


def test_the_correlation_with_the_rest_is_spearmans_with_its_lower_p_value() -> None:
    rng = np.random.default_rng(2)
    part_MK, rest_MK = rng.integers(0, 3, (12, 5)).astype(float), rng.normal(size=(12, 5))
    rho_K, p_K = spearman_with_rest(part_MK, rest_MK)
    for k in range(5):
        expected = stats.spearmanr(part_MK[:, k], rest_MK[:, k], alternative="less")
        assert (rho_K[k], p_K[k]) == pytest.approx((expected.statistic, expected.pvalue))


@pytest.mark.parametrize("M", [8, 20])
def test_items_of_pure_noise_are_hardly_ever_called_contrary(M: int) -> None:
    rng = np.random.default_rng(3)
    sets_with_any = 0
    below = []
    for _ in range(20):
        right = rights(cube_of(rng.normal(size=(M, 200, 2))))
        statistics = items(right)
        sets_with_any += statistics.flags["contrary"].any()
        _, p_K = spearman_with_rest(right.right_MP, rng.normal(size=right.right_MP.shape))
        below.append((p_K < 0.05).mean())
    assert sets_with_any <= 4  # a false discovery rate of 5 % is one set of twenty, and chance
    assert 0.02 < np.mean(below) < 0.06  # ties make it conservative


def test_flipped_labels_are_suspected_and_few_others() -> None:
    hits, mistakes, flipped = 0, 0, 0
    for seed in range(3):
        faulty = faulty_set(30, seed=seed)
        suspects = set(np.flatnonzero(items(rights(faulty.cube().with_goldens(("label",)))).flags["suspect label"]))
        planted = faulty.faults["suspect label"]
        hits, mistakes, flipped = hits + len(suspects & planted), mistakes + len(suspects - planted), flipped + 25
    assert hits >= 0.3 * flipped
    assert mistakes <= max(2, 0.1 * hits)


def test_without_flipped_labels_hardly_any_is_suspected() -> None:
    counts = [
        items(rights(faulty_set(30, seed=seed, flipped=0.0).cube().with_goldens(("label",)))).flags["suspect label"]
        for seed in range(5)
    ]
    assert np.mean([count.any() for count in counts]) <= 0.4
    assert np.mean([count.sum() for count in counts]) <= 1.0


def test_contrary_items_are_found_where_there_are_many_reward_models() -> None:
    rng = np.random.default_rng(5)
    scores = normal_scores(rng, np.geomspace(0.2, 4.0, 120), 300, 6)
    contrary = np.arange(15)
    scores[60:, contrary] = normal_scores(rng, np.full(60, 0.3), 15, 6)  # the worse half agrees there, the better errs
    scores[:60, contrary] = rng.normal(size=(60, 15, 6))
    flagged = items(rights(cube_of(scores))).flags["contrary"]
    assert flagged[contrary].mean() > 0.8
    assert flagged[15:].sum() <= 2


def test_a_label_without_truth_is_suspected_of_nothing_where_reward_models_judge_each_other() -> None:
    statistics = items(rights(faulty_set(20).cube(labelled=False)))
    assert not statistics.judges_P.any()
    assert not statistics.flags["suspect label"].any()


def test_with_few_reward_models_no_test_flags_an_item() -> None:
    faulty = faulty_set(FEWEST_MODELS - 1)
    statistics = items(rights(faulty.cube().with_goldens(("label",))))
    assert not statistics.flags["contrary"].any()
    assert not statistics.flags["suspect label"].any()
    assert set(np.flatnonzero(statistics.flags["undefined"]).tolist()) == faulty.faults["undefined"]


def test_items_that_all_get_right_or_wrong_and_items_that_are_tied_are_named() -> None:
    scores = np.random.default_rng(6).normal(size=(7, 12, 2))
    scores[-1] = [1.0, 0.0]  # the golden
    scores[:-1, 0], scores[:-1, 1] = [2.0, 1.0], [1.0, 2.0]
    scores[:-1, 2] = 3.0
    scores[-1, 3] = 1.0
    flags = items(rights(cube_of(scores).with_goldens(("rm-6",)))).flags
    assert [bool(flags["all right"][p]) for p in range(4)] == [True, False, False, False]
    assert [bool(flags["all wrong"][p]) for p in range(4)] == [False, True, False, False]
    assert [bool(flags["tied"][p]) for p in range(4)] == [False, False, True, False]
    assert [bool(flags["undefined"][p]) for p in range(4)] == [False, False, False, True]
