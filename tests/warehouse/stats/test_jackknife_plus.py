"""The jackknife+ against a plain computation, its promise on simulated examples, and what it calls outside."""

from __future__ import annotations

import numpy as np
import pytest

from warehouse.stats.jackknife_plus import fewest, jackknife_plus, outside


def plain(x_NK: np.ndarray, y_N: np.ndarray, new_K: np.ndarray, ridge: float, level: float) -> tuple[float, ...]:
    """By refitting: ridge regression on features that are standardised among the examples of each fit."""

    def predict(keep: np.ndarray, at_K: np.ndarray) -> float:
        x, y = x_NK[keep], y_N[keep]
        scale = x.std(axis=0)
        z = (x - x.mean(axis=0)) / scale
        slope = np.linalg.solve(z.T @ z + ridge * np.eye(z.shape[1]), z.T @ (y - y.mean()))
        return float(y.mean() + (at_K - x.mean(axis=0)) / scale @ slope)

    N = len(y_N)
    without = [np.arange(N) != i for i in range(N)]
    misses = [abs(y_N[i] - predict(without[i], x_NK[i])) for i in range(N)]
    at_new = [predict(keep, new_K) for keep in without]
    below = sorted(value - miss for value, miss in zip(at_new, misses, strict=True))
    above = sorted(value + miss for value, miss in zip(at_new, misses, strict=True))
    k = int(np.floor((1 - level) * (N + 1) + 1e-9))
    return predict(np.ones(N, dtype=bool), new_K), below[k - 1], above[N - k]


@pytest.mark.parametrize(("K", "ridge"), [(3, 1.0), (1, 0.0)])
def test_it_is_what_refitting_without_each_example_gives(K: int, ridge: float) -> None:
    rng = np.random.default_rng(1)
    x_NK, new_TK = 5 + rng.standard_normal((23, K)) * 10.0 ** np.arange(K), 5 + rng.standard_normal((4, K))
    y_N = x_NK[:, 0] + rng.standard_normal(23)
    known_N = np.arange(23) % 6 != 2
    got = jackknife_plus(x_NK[None], y_N[None], known_N[None], new_TK[None], ridge=ridge, level=0.9)
    for t, new_K in enumerate(new_TK):
        expected = plain(x_NK[known_N], y_N[known_N], new_K, ridge, 0.9)
        assert [part[0, t] for part in got] == pytest.approx(expected)


def test_without_features_the_mean_is_predicted_and_with_one_that_never_changes_too() -> None:
    y_N = np.array([1.0, 2.0, 3.0, 6.0] * 3)
    for x_NK in (np.empty((12, 0)), np.full((12, 1), 0.7)):
        new_TK = x_NK[:1]
        got = jackknife_plus(x_NK[None], y_N[None], np.ones((1, 12), dtype=bool), new_TK[None], ridge=1.0, level=0.8)
        assert got.value_UT[0, 0] == pytest.approx(3.0)
        assert got.low_UT[0, 0] < 3.0 < got.high_UT[0, 0]


def test_an_interval_from_too_few_examples_is_infinite() -> None:
    assert (fewest(0.9), fewest(0.95), fewest(0.8)) == (9, 19, 4)
    rng = np.random.default_rng(0)
    for N, finite in ((8, False), (9, True)):
        x_NK, y_N = rng.standard_normal((N, 1)), rng.standard_normal(N)
        got = jackknife_plus(x_NK[None], y_N[None], np.ones((1, N), dtype=bool), x_NK[None], ridge=0.0, level=0.9)
        assert np.isfinite(got.low_UT).all() == finite
        assert np.isfinite(got.high_UT).all() == finite
        assert np.isfinite(got.value_UT).all()


@pytest.mark.parametrize("examples", [12, 40])
@pytest.mark.parametrize("truth", ["linear", "bent, with heavy tails"])
def test_it_covers_as_promised_whatever_the_truth(examples: int, truth: str) -> None:
    """1,000 studies side by side; 80 % or more is promised, 90 % is typical."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((1000, examples + 1, 3))
    noise = rng.standard_normal(x.shape[:2]) if truth == "linear" else rng.standard_t(2, x.shape[:2])
    y = x[..., 0] + (0.5 * x[..., 1] if truth == "linear" else np.abs(x[..., 1]) ** 2) + noise
    known = np.ones((1000, examples), dtype=bool)
    got = jackknife_plus(x[:, :-1], y[:, :-1], known, x[:, -1:], ridge=1.0, level=0.9)
    covered = ((got.low_UT[:, 0] <= y[:, -1]) & (y[:, -1] <= got.high_UT[:, 0])).mean()
    assert 0.86 <= covered <= 0.95


def test_what_lies_beyond_the_range_or_apart_from_the_scatter_is_outside() -> None:
    rng = np.random.default_rng(3)
    first = rng.standard_normal(40)
    x_NK = np.stack([first, first + 0.05 * rng.standard_normal(40)], axis=1)
    known = np.ones((1, 40), dtype=bool)
    new = np.array([[0.0, 0.0], [1.0, -1.0], [first.max() + 0.6, first.max() + 0.6], [x_NK[0, 0], x_NK[0, 1]]])
    assert outside(x_NK[None], known, new[None], ridge=1.0)[0].tolist() == [False, True, True, False]


def test_of_examples_like_the_known_ones_few_are_outside() -> None:
    """The farther of N + 1 alike examples is the new one once in N + 1; a range that is passed clearly, not oftener."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((2000, 31, 3))
    share = outside(x[:, :-1], np.ones((2000, 30), dtype=bool), x[:, -1:], ridge=1.0).mean()
    assert share < 0.08
