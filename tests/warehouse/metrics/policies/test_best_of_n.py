"""Best-of-n against an enumeration of every subset of n samples."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.study.simulate import normal_scores, tied_scores
from warehouse.errors import InvalidChoice
from warehouse.metrics.policies.best_of_n import (
    best_of_n_expected,
    best_of_n_kl_bound,
    best_of_n_own_values,
    best_of_n_picks,
    best_of_n_values,
    pick_probabilities,
)


def enumerated(golden_N: np.ndarray, proxy_N: np.ndarray, n: int) -> float:
    """Mean over all n-subsets of the golden score of the proxy's best; of tied bests, each is as likely."""
    total = []
    for subset in combinations(range(len(golden_N)), n):
        chosen = np.array(subset)
        best = chosen[proxy_N[chosen] == proxy_N[chosen].max()]
        total.append(golden_N[best].mean())
    return float(np.mean(total))


@pytest.mark.parametrize("kind", ["ties", "normal"])
def test_untied_and_tied_samples_equal_the_enumeration_of_all_subsets(kind: str) -> None:
    rng = np.random.default_rng(0)
    M, P, N = 3, 4, 7
    scores = tied_scores(rng, M, P, N) if kind == "ties" else normal_scores(rng, np.array([0.1, 1, 2]), P, N)
    strengths = [1, 2, 3, 5, 7]
    values = best_of_n_values(scores, strengths)
    assert values.shape == (5, M, M, P)
    for s, n in enumerate(strengths):
        for golden in range(M):
            for proxy in range(M):
                for p in range(P):
                    wanted = enumerated(scores[golden, p].astype(float), scores[proxy, p].astype(float), n)
                    assert values[s, golden, proxy, p] == pytest.approx(wanted, abs=1e-9)


def test_one_sample_is_the_initial_policy_and_all_samples_are_the_argmax() -> None:
    scores = normal_scores(np.random.default_rng(1), np.array([0.5, 1.5]), 6, 9)
    first, last = best_of_n_values(scores, [1, 9])
    np.testing.assert_allclose(first, np.broadcast_to(scores.mean(axis=2)[:, None], first.shape), atol=1e-12)
    best = scores.argmax(axis=2)
    for proxy in range(2):
        picked = np.take_along_axis(scores, np.broadcast_to(best[proxy][None, :, None], (2, 6, 1)), axis=2)[..., 0]
        np.testing.assert_allclose(last[:, proxy], picked, atol=1e-12)


@given(st.integers(1, 64), st.data())
def test_the_probabilities_of_being_picked_sum_to_one(N: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, N))
    probabilities = pick_probabilities(N, n)
    assert probabilities.sum() == pytest.approx(1.0)
    assert (probabilities[: n - 1] == 0).all()


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_samples_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = tied_scores(rng, 3, 4, 6)
    shuffled = scores[:, :, rng.permutation(6)]
    np.testing.assert_allclose(best_of_n_values(scores, [1, 3, 6]), best_of_n_values(shuffled, [1, 3, 6]), atol=1e-12)


def test_a_proxy_that_ties_everything_gains_nothing() -> None:
    scores = normal_scores(np.random.default_rng(4), np.array([0.5, 1.0]), 5, 8)
    scores[1] = 3.0
    values = best_of_n_values(scores, [4])
    np.testing.assert_allclose(values[0, 0, 1], scores[0].mean(axis=1), atol=1e-12)


def test_the_kl_bound_is_zero_at_one_and_grows() -> None:
    assert best_of_n_kl_bound(1) == 0.0
    assert best_of_n_kl_bound(4) == pytest.approx(np.log(4) - 0.75)


@pytest.mark.parametrize("n", [0, 5])
def test_a_strength_beyond_the_samples_is_refused(n: int) -> None:
    with pytest.raises(InvalidChoice, match=f"n is {n}; there are 4 samples per prompt, so n has to be from 1 to 4"):
        best_of_n_values(np.zeros((2, 3, 4)), [n])
    if n < 1:
        with pytest.raises(InvalidChoice, match="1 sample or more"):
            best_of_n_kl_bound(n)


def test_the_length_of_best_of_n_is_the_mean_over_all_draws() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((2, 3, 6))
    tokens = rng.integers(2, 40, (3, 6))
    found = best_of_n_expected(tokens[None], scores, (1, 3))[:, 0]
    for m in range(2):
        for p in range(3):
            draws = [tokens[p, max(draw, key=lambda i: scores[m, p, i])] for draw in combinations(range(6), 3)]
            assert found[1, m, p] == pytest.approx(np.mean(draws))
            assert found[0, m, p] == pytest.approx(tokens[p].mean())


@pytest.mark.parametrize("n", [1, 3, 5])
def test_many_single_picks_average_to_the_expectation_and_the_first_ones_are_of_other_samples(n: int) -> None:
    rng = np.random.default_rng(4)
    scores = normal_scores(rng, np.array([0.3, 1.0, 2.0]), 5, 12)
    expected = best_of_n_values(scores, [n])[0]
    picked = best_of_n_picks(scores, n, 12 // n, reward_models=("a", "b", "c"), seed=1)
    assert picked.shape == expected.shape
    many = best_of_n_picks(scores, n, 4000, reward_models=("a", "b", "c"), seed=1)
    assert many == pytest.approx(expected, abs=0.08)
    once = best_of_n_picks(scores[:, :1], 12, 7, reward_models=("a", "b", "c"), seed=2)  # of all samples: the best
    assert once == pytest.approx(best_of_n_values(scores[:, :1], [12])[0])
    if n == 1:  # twelve picks of one sample each use every sample once
        assert picked == pytest.approx(np.repeat(scores.mean(axis=2)[:, None], 3, axis=1))


def test_a_proxys_picks_do_not_depend_on_the_other_reward_models() -> None:
    scores = normal_scores(np.random.default_rng(5), np.array([0.3, 1.0, 2.0]), 6, 8)
    whole = best_of_n_picks(scores, 3, 2, reward_models=("a", "b", "c"), seed=3)
    part = best_of_n_picks(scores[1:], 3, 2, reward_models=("b", "c"), seed=3)
    assert (whole[1:, 1:] == part).all()


def test_own_values_are_the_diagonal_of_all_values() -> None:
    scores = normal_scores(np.random.default_rng(6), np.array([0.3, 1.0, 2.0]), 6, 8)
    values = best_of_n_values(scores, range(1, 9))
    assert best_of_n_own_values(scores) == pytest.approx(np.einsum("smmp->sm", values) / 6)
