"""The tilted policy against plain loops, and against what is known of normal scores."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.study.simulate import normal_scores, tied_scores
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube, score_cube, spread_within_prompts
from warehouse.metrics.policies.tilted import (
    LEAST_EFFECTIVE,
    effective_samples,
    tilted_expected,
    tilted_kl,
    tilted_policies,
    tilted_values,
    tilted_weights,
)


def by_loops(proxy_N: np.ndarray, spread: float, strength: float) -> list[float]:
    odds = [math.exp(strength * float(score) / spread) for score in proxy_N]
    return [each / sum(odds) for each in odds]


def ragged(counts: tuple[int, ...] = (24, 12, 24, 5), seed: int = 3) -> ScoreCube:
    scores = normal_scores(np.random.default_rng(seed), np.array([0.2, 1.0, 2.0]), len(counts), max(counts))
    for place, count in enumerate(counts):
        scores[:, place, count:] = 0.0
    return replace(score_cube(scores), responses_P=np.array(counts))


@pytest.mark.parametrize("kind", ["ties", "normal"])
def test_values_kl_and_effective_samples_equal_plain_loops(kind: str) -> None:
    rng = np.random.default_rng(0)
    M, P, N = 3, 4, 11
    scores = tied_scores(rng, M, P, N) if kind == "ties" else normal_scores(rng, np.array([0.1, 1, 2]), P, N)
    spread_M, strengths = np.array([0.5, 1.0, 2.0]), (0.5, 2.0)
    values = tilted_expected(scores, scores, strengths, spread_M)
    for s, strength in enumerate(strengths):
        for proxy in range(M):
            weights_PNS = tilted_weights(scores[proxy].astype(float), spread_M[proxy], strengths)
            for p in range(P):
                weights = by_loops(scores[proxy, p], spread_M[proxy], strength)
                assert weights_PNS[p, :, s] == pytest.approx(weights)
                kl = sum(weight * math.log(N * weight) for weight in weights)
                assert tilted_kl(weights_PNS)[s, p] == pytest.approx(kl)
                assert effective_samples(weights_PNS)[s, p] == pytest.approx(1 / sum(w * w for w in weights))
                for golden in range(M):
                    value = sum(w * float(score) for w, score in zip(weights, scores[golden, p], strict=True))
                    assert values[s, golden, proxy, p] == pytest.approx(value)


@pytest.mark.parametrize("strength", [0.5, 1.0, 1.5])
def test_for_normal_scores_the_gain_is_lambda_deviations_at_half_its_square_in_nats(strength: float) -> None:
    """Whatever the reward model's scale; a golden that correlates with it by ρ gains ρ times as much."""
    rng = np.random.default_rng(1)
    N, scale, rho = 4000, 7.0, 0.6
    proxy = rng.standard_normal((40, N))
    golden = rho * proxy + math.sqrt(1 - rho**2) * rng.standard_normal(proxy.shape)
    scores = np.stack([golden, scale * proxy + 3.0])
    spread_M = spread_within_prompts(scores)
    values = tilted_expected(scores, scores, [strength], spread_M)[0].mean(axis=2) - scores.mean(axis=(1, 2))[:, None]
    kl = tilted_kl(tilted_weights(scores[1], spread_M[1], [strength])).mean()
    assert values[1, 1] / spread_M[1] == pytest.approx(strength, rel=0.02)
    assert values[0, 1] / spread_M[0] == pytest.approx(rho * strength, rel=0.04)
    assert kl == pytest.approx(strength**2 / 2, rel=0.03)
    assert (values[1, 1] / spread_M[1]) ** 2 / (2 * kl) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("N", "strength"), [(64, 1.0), (512, 1.5)])
def test_with_few_samples_gain_and_kl_are_somewhat_too_small_where_the_policy_is_defined(
    N: int, strength: float
) -> None:
    scores_PN = np.random.default_rng(2).standard_normal((3000, N))
    weights_PNS = tilted_weights(scores_PN, 1.0, [strength])
    defined_P = effective_samples(weights_PNS)[0] >= LEAST_EFFECTIVE
    gain = (weights_PNS[:, :, 0] * scores_PN).sum(axis=1)[defined_P].mean() / strength
    kl = tilted_kl(weights_PNS)[0][defined_P].mean() / (strength**2 / 2)
    assert defined_P.mean() > 0.98
    assert 0.92 < gain < 1.0
    assert 0.90 < kl < 1.0
    assert kl < gain


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_from_the_initial_policy_the_own_gain_and_the_kl_only_grow(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = tied_scores(rng, 2, 3, 9).astype(float)
    strengths = (1e-9, 0.3, 1.0, 2.0, 5.0)
    spread_M = spread_within_prompts(scores)
    values = tilted_expected(scores, scores, strengths, spread_M)
    np.testing.assert_allclose(values[0], np.broadcast_to(scores.mean(axis=2)[:, None], values[0].shape), atol=1e-6)
    for m in range(2):
        weights_PNS = tilted_weights(scores[m], spread_M[m], strengths)
        assert (np.diff(values[:, m, m], axis=0) >= -1e-9).all()
        assert (np.diff(tilted_kl(weights_PNS), axis=0) >= -1e-9).all()
        assert (np.diff(effective_samples(weights_PNS), axis=0) <= 1e-9).all()
        assert (values[-1, m, m] <= scores[m].max(axis=1) + 1e-9).all()


def test_equal_scores_have_equal_weights_and_constant_scores_gain_nothing() -> None:
    weights_PNS = tilted_weights(np.array([[1.0, 2.0, 2.0, 0.0]]), 1.0, [1.5])
    assert weights_PNS[0, 1, 0] == weights_PNS[0, 2, 0] > weights_PNS[0, 0, 0]
    constant = tilted_weights(np.full((2, 5), 3.0), 0.0, [0.5, 3.0])
    assert constant == pytest.approx(np.full((2, 5, 2), 0.2))
    assert tilted_kl(constant) == pytest.approx(np.zeros((2, 2)))


def test_enormous_scores_do_not_overflow() -> None:
    weights_PNS = tilted_weights(np.array([[1e30, -1e30, 0.0]]), 1e-3, [3.0])
    assert weights_PNS[0, :, 0].tolist() == [1.0, 0.0, 0.0]
    assert tilted_kl(weights_PNS)[0, 0] == pytest.approx(math.log(3))


def test_prompts_with_different_numbers_of_samples_have_the_values_of_their_own_samples() -> None:
    cube = ragged()
    spread_M = spread_within_prompts(cube)
    values = tilted_values(cube, [1.0], np.array([3, 0, 1]))
    for place, (prompt, count) in enumerate([(3, 5), (0, 24), (1, 12)]):
        own = cube.scores_MPR[:, prompt : prompt + 1, :count]
        assert values[..., place] == pytest.approx(tilted_expected(own, own, [1.0], spread_M)[..., 0])
    with pytest.raises(InvalidChoice, match="agree"):
        tilted_values(cube, [1.0], np.array([0]), np.zeros((1, 4, 23)))


def test_a_prompt_is_defined_where_every_reward_models_effective_sample_is_large_enough() -> None:
    cube = ragged((24, 12, 24, 5))
    policies = tilted_policies(cube, (0.25, 1.0))
    spread_M = spread_within_prompts(cube)
    for s, strength in enumerate(policies.strengths):
        for p, count in enumerate(cube.counts_P):
            effective = [
                1 / sum(w * w for w in by_loops(cube.scores_MPR[m, p, :count], spread_M[m], strength)) for m in range(3)
            ]
            assert policies.defined_SMP[s, :, p].tolist() == [each >= LEAST_EFFECTIVE for each in effective]
            assert policies.defined_SP[s, p] == (min(effective) >= LEAST_EFFECTIVE)
    assert not policies.defined_SP[:, 3].any()  # five samples are never as many as eight
    assert policies.kl_SM[0] == pytest.approx(policies.kl_SMP[0][:, policies.defined_SP[0]].mean(axis=1))


def test_a_strength_is_offered_if_half_of_the_prompts_are_defined_for_all() -> None:
    cube = ragged((64,) * 10 + (4,) * 10)
    assert 0.25 in tilted_policies(cube).offered().strengths
    assert 3.0 not in tilted_policies(cube).offered().strengths
    assert tilted_policies(ragged((64,) * 9 + (4,) * 11)).offered().strengths == ()


@pytest.mark.parametrize("samples", [1, 8])
def test_nothing_is_offered_with_too_few_samples_for_any_strength(samples: int) -> None:
    cube = score_cube(normal_scores(np.random.default_rng(5), np.array([0.2, 1.0]), 6, 8)).first_responses(samples)
    assert tilted_policies(cube).offered().strengths == ()
