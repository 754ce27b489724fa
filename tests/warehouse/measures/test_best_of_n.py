"""Best-of-n against the enumeration of every subset."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tests.warehouse.measures.data import tied_scores
from warehouse.errors import InvalidChoice
from warehouse.measures import best_of_n_kl_bound, best_of_n_values


def enumerated(golden: np.ndarray, proxy: np.ndarray, n: int) -> float:
    """Mean over all n-subsets of the golden score of the proxy's best, its ties shared among all samples they tie with.

    A sample that the proxy ties with others is exchangeable with them, also outside the subset.
    """
    values = []
    for subset in itertools.combinations(range(len(golden)), n):
        best = proxy[list(subset)].max()
        values.append(golden[proxy == best].mean())
    return float(np.mean(values))


@pytest.mark.parametrize("seed", range(4))
def test_the_estimator_is_the_mean_over_all_subsets(seed: int) -> None:
    scores = tied_scores(seed, M=3, P=4, R=7)
    strengths = [1, 2, 3, 7]
    values = best_of_n_values(scores, strengths)
    assert values.shape == (4, 3, 3, 4)
    for (s, n), g, m, p in itertools.product(enumerate(strengths), range(3), range(3), range(4)):
        expected = enumerated(scores[g, p].astype(float), scores[m, p].astype(float), n)
        assert values[s, g, m, p] == pytest.approx(expected, abs=1e-12)


def test_best_of_one_is_the_mean_and_best_of_all_the_favourite() -> None:
    scores = np.random.default_rng(0).normal(size=(2, 9, 16))
    values = best_of_n_values(scores, [1, 16])
    np.testing.assert_allclose(values[0], np.repeat(scores.mean(axis=2)[:, None], 2, axis=1))
    favourites = np.take_along_axis(scores[0], scores[1].argmax(axis=1)[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(values[1, 0, 1], favourites)


def test_a_constant_proxy_gains_nothing() -> None:
    scores = np.stack([np.random.default_rng(0).normal(size=(5, 8)), np.zeros((5, 8))])
    np.testing.assert_allclose(best_of_n_values(scores, [4])[0, 0, 1], scores[0].mean(axis=1))


@pytest.mark.parametrize("n", [0, 9])
def test_more_than_there_are_is_refused(n: int) -> None:
    with pytest.raises(InvalidChoice, match=f"n is {n}; there are 8"):
        best_of_n_values(np.zeros((2, 3, 8)), [n])


def test_the_bound_on_the_divergence() -> None:
    assert best_of_n_kl_bound(1) == 0
    assert best_of_n_kl_bound(4) == pytest.approx(math.log(4) - 0.75)
