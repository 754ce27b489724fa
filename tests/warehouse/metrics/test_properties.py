"""What holds for every measure whatever the scores are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.study.simulate import accuracy_of_correlation, cube_of, dense, normal_scores, tied_scores
from warehouse.study import MEASURES, TestSet, prepare

RANK_MEASURES = ("accuracy", "accuracy_pair", "spearman", "kendall", "xi", "bo_r", "mrr", "ndcg", "margin_accuracy")
BEST_IS_ONE = ("accuracy", "accuracy_pair", "pearson", "spearman", "kendall", "bo_r", "mrr", "ndcg", "margin_accuracy")
NEEDS_NO_ORDER = tuple(name for name in MEASURES if name not in ("accuracy_pair", "xi"))
TEST_SETS = (TestSet(), TestSet(rank_bins=2), TestSet(rank_bins=2, chosen_bin=2, rejected_bin=1))

seeds = st.integers(0, 100_000)


@settings(deadline=None, max_examples=40)
@given(seeds, st.sampled_from(NEEDS_NO_ORDER), st.integers(2, 6), st.sampled_from(TEST_SETS))
def test_order_of_prompts_reward_models_and_responses_does_not_matter(
    seed: int, name: str, R: int, test_set: TestSet
) -> None:
    rng = np.random.default_rng(seed)
    scores = tied_scores(rng, 4, 9, R)
    models, prompts, responses = rng.permutation(4), rng.permutation(9), rng.permutation(R)
    values, defined = dense(prepare(cube_of(scores), name, test_set))
    shuffled, shuffled_defined = dense(prepare(cube_of(scores[models][:, prompts][:, :, responses]), name, test_set))
    np.testing.assert_allclose(shuffled, values[:, prompts][:, :, models][:, :, :, models], atol=1e-9)
    np.testing.assert_array_equal(shuffled_defined, defined[prompts][:, models][:, :, models])


@settings(deadline=None, max_examples=40)
@given(seeds, st.sampled_from(RANK_MEASURES))
def test_a_strictly_increasing_map_of_the_proxy_leaves_rank_measures_alone(seed: int, name: str) -> None:
    scores = tied_scores(np.random.default_rng(seed), 3, 8, 5)
    mapped = scores.copy()
    mapped[1] = np.exp(scores[1]) * 3 - 7
    before, defined = dense(prepare(cube_of(scores), name))
    after, defined_after = dense(prepare(cube_of(mapped), name))
    np.testing.assert_allclose(after[:, :, 0, 1], before[:, :, 0, 1], atol=1e-9)
    np.testing.assert_array_equal(defined_after[:, 0, 1], defined[:, 0, 1])


@pytest.mark.parametrize("name", BEST_IS_ONE)
def test_a_perfect_proxy_has_one(name: str) -> None:
    scores = normal_scores(np.random.default_rng(0), np.array([1.0, 1.0]), 12, 5)
    scores[1] = scores[0]
    values, defined = dense(prepare(cube_of(scores), name))
    np.testing.assert_allclose(values[0, :, 0, 1], 1.0, atol=1e-12)
    assert defined[:, 0, 1].all()


@pytest.mark.parametrize(
    ("name", "worst"), [("accuracy", 0), ("margin_accuracy", 0), ("kendall", -1), ("spearman", -1)]
)
def test_a_reversed_proxy_has_the_worst_value(name: str, worst: float) -> None:
    scores = normal_scores(np.random.default_rng(0), np.array([1.0, 1.0]), 12, 5)
    scores[1] = -scores[0]
    values, _ = dense(prepare(cube_of(scores), name))
    np.testing.assert_allclose(values[0, :, 0, 1], worst, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(seeds, st.sampled_from(tuple(MEASURES)))
def test_weights_of_zero_equal_removal_and_whole_weights_equal_copies(seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    scores = tied_scores(rng, 3, 10, 4)
    scores[:, 0, :2] = np.arange(6).reshape(3, 2) / 2  # one prompt that is never silent
    counts = rng.integers(0, 4, (1, 10)).astype(np.float64)
    counts[0, 0] = 1
    expanded = np.repeat(scores, counts[0].astype(int), axis=1)
    values = prepare(cube_of(scores), name)
    copies = prepare(cube_of(expanded), name)
    # reward variance is in units of all of π_0's responses, which weights do not change and copies do
    unit_M = np.ones(3)
    if name == "reward_variance":
        unit_M = expanded.var(axis=(1, 2), dtype=np.float64) / scores.var(axis=(1, 2), dtype=np.float64)
    errors, defined = values.overall(counts)
    wanted, wanted_defined = copies.overall(np.ones((1, expanded.shape[1])))
    for golden, proxy in zip(*np.nonzero(~np.eye(3, dtype=bool)), strict=True):
        one, other = values.column_MM[golden, proxy], copies.column_MM[golden, proxy]
        assert errors[0, one] == pytest.approx(wanted[0, other] * unit_M[proxy], abs=1e-10)
        assert defined[0, one] == wanted_defined[0, other]


@settings(deadline=None, max_examples=30)
@given(seeds, st.sampled_from(tuple(MEASURES)), st.integers(2, 5))
def test_every_value_is_finite_and_undefined_cells_are_zero(seed: int, name: str, R: int) -> None:
    scores = tied_scores(np.random.default_rng(seed), 3, 6, R)
    values, defined = dense(prepare(cube_of(scores), name))
    assert np.isfinite(values).all()
    assert not values[:, ~defined].any()


@pytest.mark.parametrize("noise", [0.2, 1.0, 3.0])
def test_accuracy_of_normal_reward_models_is_a_half_plus_arcsin_rho_over_pi(noise: float) -> None:
    scores = normal_scores(np.random.default_rng(7), np.array([0.0, noise]), 6000, 5)
    values, _ = dense(prepare(cube_of(scores), "accuracy"))
    found = values[0, :, 0, 1]
    wanted = accuracy_of_correlation(1.0 / np.sqrt(1.0 + noise**2))
    assert found.mean() == pytest.approx(float(wanted), abs=4 * found.std() / np.sqrt(len(found)))
