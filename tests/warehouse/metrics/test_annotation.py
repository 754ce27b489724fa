"""Annotation noise: the share of pairs that it flips, and that each golden has an annotator of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.warehouse.study.simulate import cube_of, dense, normal_scores, study
from warehouse.errors import InvalidChoice
from warehouse.metrics.annotation import flipping_sigma, noisy_utilities
from warehouse.study import TestSet, evaluate, prepare


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4])
def test_noise_flips_just_the_wanted_share_of_golden_pairs(share: float) -> None:
    scores = normal_scores(np.random.default_rng(1), np.array([0.3, 1.0]), 200, 5).astype(np.float32)
    noisy = noisy_utilities(cube_of(scores), share, seed=3, responses=5)
    first, second = np.triu_indices(5, 1)
    for golden in range(2):
        before = np.sign(scores[golden][:, first].astype(float) - scores[golden][:, second])
        after = np.sign(noisy[golden][:, first] - noisy[golden][:, second])
        assert (before != after).mean() == pytest.approx(share, abs=1e-3)


def labelled(R: int) -> np.ndarray:
    """Labels, 1 for the best response to a prompt, and two reward models; of the first 80 prompts all are right."""
    scores = normal_scores(np.random.default_rng(1), np.array([0.3, 1.0, 2.0]), 400, R).astype(np.float32)
    scores[0] = scores[0] == scores[0].max(axis=1, keepdims=True)
    scores[0, :80] = 1.0
    return scores


def test_an_annotator_of_labels_chooses_as_many_responses_but_others() -> None:
    scores = labelled(4)
    noisy = noisy_utilities(cube_of(scores), 0.2, seed=3, responses=4)[0]
    np.testing.assert_array_equal(np.sort(noisy), np.sort(scores[0]))
    other = (noisy.argmax(axis=1) != scores[0].argmax(axis=1))[80:].mean()
    assert 0.2 < other < 0.6  # one of three wrong ones seems better more often than a single one


def test_of_two_labelled_responses_the_asked_share_is_swapped() -> None:
    scores = labelled(2)
    noisy = noisy_utilities(cube_of(scores), 0.2, seed=3, responses=2)[0]
    assert (noisy.argmax(axis=1) != scores[0].argmax(axis=1))[80:].sum() == 0.2 * 320


def test_a_trace_of_noise_changes_next_to_nothing_against_labels_also_with_fewer_responses() -> None:
    cube = replace(cube_of(labelled(4)).with_goldens(["rm-0"]), responses_P=np.tile([2, 3, 4, 4], 100))
    for name in ("accuracy", "spearman", "bo_r"):
        clean, traced = (dense(prepare(cube, name, TestSet(noise=noise))) for noise in (None, 0.002))
        np.testing.assert_array_equal(clean[1][:, 0, 1:], traced[1][:, 0, 1:])
        assert np.abs(clean[0].mean(axis=1) - traced[0].mean(axis=1))[0, 0, 1:].max() < 0.02


def test_only_goldens_have_annotators() -> None:
    cube = cube_of(labelled(3))
    everyone = noisy_utilities(cube, 0.2, seed=3, responses=3)
    some = noisy_utilities(cube.with_goldens(["rm-1"]), 0.2, seed=3, responses=3)
    np.testing.assert_array_equal(some[1], everyone[1])
    np.testing.assert_array_equal(some[[0, 2]], cube.scores_MPR[[0, 2]])


def test_noise_is_on_the_golden_side_only_and_the_same_for_all_measures() -> None:
    cube = cube_of(normal_scores(np.random.default_rng(1), np.array([0.3, 1.0]), 30, 5))
    utilities = noisy_utilities(cube, 0.3, seed=2, responses=5)
    for name, reference in (("spearman", stats.spearmanr), ("kendall", stats.kendalltau)):
        values, _ = dense(prepare(cube, name, TestSet(noise=0.3, seed=2)))
        for p in range(30):
            assert values[0, p, 0, 1] == pytest.approx(reference(utilities[0, p], cube.scores_MPR[1, p])[0])
            assert values[0, p, 1, 0] == pytest.approx(reference(utilities[1, p], cube.scores_MPR[0, p])[0])


def test_noise_costs_accuracy_leaves_ndr_alone_and_none_changes_nothing() -> None:
    cube, values = study()
    clean, none, noisy = (
        evaluate(cube, values, test_set=TestSet(noise=noise), replicates=20) for noise in (None, 0.0, 0.3)
    )
    off = ~np.eye(6, dtype=bool)
    assert noisy.value_MM[off].mean() < clean.value_MM[off].mean() - 0.05
    np.testing.assert_array_equal(noisy.ndr_MM, clean.ndr_MM)
    np.testing.assert_array_equal(none.value_MM, clean.value_MM)


def test_noise_that_no_annotator_of_this_seed_makes_is_refused() -> None:
    with pytest.raises(InvalidChoice, match="needs 1 flipped pairs"):
        flipping_sigma(np.array([[1.0, 0.0]]), np.array([[2.0, 1.0]]), 0.9)
