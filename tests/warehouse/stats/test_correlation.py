"""Weighted correlations against SciPy on the sample that the weights stand for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from warehouse.stats import correlation
from warehouse.stats.correlation import MOST_ENTRIES, Against, Figure, ProductMoment, varies
from warehouse.stats.ranks import middle_ranks


def pearson(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> Figure:
    return ProductMoment(y, varies(y, w), w).of(x, varies(x, w))


def spearman(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> Figure:
    return ProductMoment(*middle_ranks(y, w), w).of(*middle_ranks(x, w))


def compared(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> Figure:
    return tau(x, y, w, by_comparing=True)


def merged(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> Figure:
    return tau(x, y, w, by_comparing=False)


def tau(x: np.ndarray, y: np.ndarray, w: np.ndarray, *, by_comparing: bool) -> Figure:
    """The second of three sides, the others being its negative and constant."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(correlation, "_pays", lambda w, sides: by_comparing)
        values, defined = Against(y, w).tau(np.array([-x, x, np.ones_like(x)]))
    np.testing.assert_array_equal(values[0], -values[1])
    assert not defined[2].any()
    return values[1], defined[1]


FUNCTIONS = [
    (merged, stats.kendalltau),
    (compared, stats.kendalltau),
    (spearman, stats.spearmanr),
    (pearson, stats.pearsonr),
]


def check(ours: Callable, theirs: Callable, x: np.ndarray, y: np.ndarray, w: np.ndarray) -> None:
    values, defined = ours(x, y, w)
    for row in range(len(x)):
        expanded_x, expanded_y = (np.repeat(v[row], w[row].astype(int)) for v in (x, y))
        varying = len(set(expanded_x)) > 1 and len(set(expanded_y)) > 1
        assert defined[row] == varying
        wanted = theirs(expanded_x, expanded_y)[0] if varying else 0.0
        assert values[row] == pytest.approx(wanted, abs=1e-11)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize(
    ("ours", "theirs", "n"),
    [
        (ours, theirs, n)
        for ours, theirs in FUNCTIONS
        for n in (1, 2, 3, 6, 12, 13, 24, 40, 41, 48, 49, 90, 97, 200, 256, 600)
        if ours is not compared or n <= MOST_ENTRIES
    ],
)
def test_each_equals_scipy_on_the_expanded_sample(ours: Callable, theirs: Callable, n: int, ties: bool) -> None:
    rng = np.random.default_rng(n)
    x = rng.integers(0, max(2, n // 3), (12, n)).astype(float) if ties else rng.random((12, n))
    y = x + (rng.integers(-3, 4, (12, n)) if ties else rng.random((12, n)))
    check(ours, theirs, x, y, rng.integers(0, 4, (12, n)).astype(float))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 70), st.integers(1, 6), st.integers(0, 10_000))
def test_any_ties_and_weights_equal_scipy(n: int, distinct: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(0, distinct, (2, n)).astype(float) for _ in range(2))
    w = rng.integers(0, 12, (2, n)).astype(float)
    for ours, theirs in FUNCTIONS:
        check(ours, theirs, x, y, w)


def test_ranks_equal_scipy_on_the_expanded_sample() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.integers(0, 9, (5, 30)).astype(float), rng.integers(0, 4, (5, 30)).astype(float)
    middle, _ = middle_ranks(values, weights)
    for row in range(5):
        times = weights[row].astype(int)
        wanted = stats.rankdata(np.repeat(values[row], times))
        np.testing.assert_allclose(np.repeat(middle[row], times), wanted)


def test_single_precision_values_are_ranked_as_they_are() -> None:
    x = np.array([[0.1, 0.2, 0.3, 0.3]], dtype=np.float32)
    values, defined = merged(x, x, np.ones((1, 4)))
    assert defined.all()
    assert values[0] == pytest.approx(1.0)


def test_kendall_of_weights_beyond_32_bits() -> None:
    """Ten thousand times the sample has the same τ-b; its pairs no longer fit into 32 bits."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 40, (2, 5, 90)).astype(float)
    w = rng.integers(1, 4, (5, 90)).astype(float)
    np.testing.assert_allclose(merged(x, y, 10_000 * w)[0], merged(x, y, w)[0], rtol=1e-12)


@pytest.mark.parametrize("heaviest", [3, 255])
def test_what_is_compared_holds_its_greatest_weights(heaviest: int) -> None:
    rng = np.random.default_rng(heaviest)
    x, y = rng.integers(0, 400, (2, 3, MOST_ENTRIES)).astype(float)
    w = rng.integers(heaviest - 2, heaviest + 1, (3, MOST_ENTRIES)).astype(float)
    np.testing.assert_allclose(compared(x, y, w)[0], merged(x, y, w)[0], atol=1e-12)


def test_what_does_not_fit_or_would_take_longer_is_counted_by_merging() -> None:
    assert correlation._pays(np.full((256, 256), 255.0), 1)
    assert not correlation._pays(np.full((255, 256), 255.0), 1)
    assert correlation._pays(np.full((128, 256), 255.0), 2)
    assert not correlation._pays(np.full((300, 257), 1.0), 1)
    assert not correlation._pays(np.full((300, 20), 256.0), 1)
