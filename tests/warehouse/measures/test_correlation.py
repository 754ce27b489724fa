"""A weighted correlation is that of the expanded sample, by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from warehouse.measures import correlation

CASES = [(seed, ties) for seed in range(5) for ties in (False, True)]


def sample(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 1, 20))
    if ties:
        x, y = np.round(x), np.round(y)
    return x, y, rng.integers(0, 4, size=(1, 20)).astype(float)


@pytest.mark.parametrize(("seed", "ties"), CASES)
@pytest.mark.parametrize(
    ("ours", "scipys"),
    [
        (correlation.pearson, stats.pearsonr),
        (correlation.spearman, stats.spearmanr),
        (correlation.kendall, stats.kendalltau),
    ],
)
def test_weights_repeat_entries(ours, scipys, seed: int, ties: bool) -> None:
    x, y, w = sample(seed, ties)
    repeats = w[0].astype(int)
    expected = scipys(np.repeat(x[0], repeats), np.repeat(y[0], repeats)).statistic
    value, defined = ours(x, y, w)
    assert defined.all()
    assert value[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("figure", [correlation.pearson, correlation.spearman, correlation.kendall])
def test_a_constant_side_is_undefined_and_never_nan(figure) -> None:
    x, y, w = np.array([[1.0, 1.0, 5.0]]), np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 2.0, 0.0]])
    value, defined = figure(x, y, w)
    assert not defined.any()
    assert value.tolist() == [0.0]
    value, defined = figure(x, y, np.zeros((1, 3)))
    assert not defined.any()
    assert value.tolist() == [0.0]


def test_many_replicates_are_each_alone() -> None:
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(50, 30)), rng.normal(size=(50, 30)), rng.integers(0, 3, size=(50, 30)).astype(float)
    for figure in (correlation.pearson, correlation.spearman, correlation.kendall):
        together, _ = figure(x, y, w)
        alone = [figure(x[b : b + 1], y[b : b + 1], w[b : b + 1])[0][0] for b in range(50)]
        np.testing.assert_allclose(together, alone, atol=1e-12)


def test_mrr_by_hand() -> None:
    error = np.array([[[0.0, 0.9, 0.6], [0.8, 0.0, 0.7], [0.5, 0.5, 0.0]]])
    ndr = np.array([[[0.0, 0.5, 0.8], [0.9, 0.0, 0.1], [0.4, 0.3, 0.0]]])
    there = ~np.eye(3, dtype=bool)[None]
    value, defined = correlation.mrr(error, ndr, there, np.ones((1, 3)))
    # golden 0 likes proxy 1, second by NDR; golden 1 likes 0, first; golden 2 likes both: half first, half second
    assert value[0] == pytest.approx((1 / 2 + 1 + (1 + 1 / 2) / 2) / 3)
    assert defined.all()
    twice, _ = correlation.mrr(error, ndr, there, np.array([[1.0, 1.0, 2.0]]))
    # golden 0's favourite now stands behind proxy 2 twice, and golden 2 counts twice
    assert twice[0] == pytest.approx((1 / 3 + 1 + 2 * (1 + 1 / 2) / 2) / 4)


def test_mrr_needs_two_proxies() -> None:
    there = np.array([[[False, True], [True, False]]])
    value, defined = correlation.mrr(np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), there, np.ones((1, 2)))
    assert not defined.any()
    assert value.tolist() == [0.0]
