"""The test of Goodhart's curve on studies in which the curve is exactly true, and on studies in which it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.helpers.true_curves import true_curve
from warehouse.study.curve_test import Pairs, curve_test, degrees_of_freedom
from warehouse.study.goodhart import GoodhartSlopes, goodhart_slopes

PPO = {"policies": "ppo", "at": (0.5, 1, 2)}
CELLS: dict[str, dict[str, Any]] = {
    "few reward models, prompts and responses": {"M": 5, "P": 48, "R": 2, "Q": 48},
    "few reward models": {"M": 5, "P": 128, "R": 6, "Q": 128},
    "few prompts and responses": {"M": 14, "P": 48, "R": 2, "Q": 48},
    "few prompts": {"M": 14, "P": 48, "R": 6, "Q": 48, "N": 32, "at": (2, 8, 32)},
    "prompts of unlike spread": {"M": 14, "P": 128, "R": 6, "Q": 128, "unlike": 0.6},
    "many prompts": {"M": 14, "P": 400, "R": 6, "Q": 400},
    "like reward models": {"M": 14, "P": 128, "R": 2, "Q": 128, "noise": (0.8, 0.8)},
    "PPO, few prompts": {"M": 14, "P": 48, "R": 6, "Q": 48, **PPO},
    "PPO": {"M": 14, "P": 128, "R": 6, "Q": 128, **PPO},
}


def examined(seed: int, **size: Any) -> GoodhartSlopes:
    study = true_curve(seed, **size)
    return goodhart_slopes(study.cube, study.strengths, study.spread_M, replicates=200, seed=seed)


def rejected(studies: int, **size: Any) -> float:
    """The share of studies in which the curve is rejected at 5 %."""
    p_values = [examined(seed, **size).test.p_value for seed in range(studies)]
    return float(np.mean([p_value is not None and p_value < 0.05 for p_value in p_values]))


def most(studies: int, size: float = 0.06) -> float:
    """What a test of this size rejects at most, but for 1 in 200 times."""
    return size + 2.58 * float(np.sqrt(size * (1 - size) / studies))


@pytest.mark.parametrize("policies", [{"policies": "bon", "at": (2, 4, 16)}, PPO])
def test_in_the_simulated_studies_accuracy_and_slope_are_what_the_heads_say(policies: dict[str, Any]) -> None:
    study = true_curve(0, M=5, P=3000, Q=3000, unlike=0.3, **policies)
    slopes = goodhart_slopes(study.cube, study.strengths, study.spread_M, replicates=2)
    off = ~np.eye(5, dtype=bool)
    assert np.ptp(study.rho_MM[off]) > 0.2
    np.testing.assert_allclose(slopes.curve_MM[off], study.rho_MM[off], atol=0.03)
    np.testing.assert_allclose(slopes.slope_MM[off], study.rho_MM[off], atol=0.04)


def test_a_true_curve_is_rejected_no_more_often_than_claimed_with_few_prompts_and_responses() -> None:
    """Wald's χ² with the covariance of the replicates rejected 25 of the 150 studies and 29 of the 200."""
    assert rejected(150, M=14, P=48, R=2, Q=48) <= most(150)
    assert rejected(200, M=5, P=48, R=2, Q=48) <= most(200)


def test_a_slope_of_four_fifths_of_the_curve_is_detected() -> None:
    assert rejected(40, M=14, P=128, R=6, Q=128, slope=0.8) >= 0.9


@pytest.mark.deep
@pytest.mark.parametrize("cell", CELLS)
def test_a_true_curve_is_rejected_no_more_often_than_claimed_at_any_size(cell: str) -> None:
    assert rejected(1000, **CELLS[cell]) <= most(1000)


@pytest.mark.deep
@pytest.mark.parametrize(
    "more", [{"P": 128, "R": 2, "Q": 128}, {"P": 400, "R": 6, "Q": 400}, {"P": 128, "R": 6, "Q": 128, **PPO}]
)
def test_a_true_curve_is_rejected_no_more_often_than_claimed_with_forty_reward_models(more: dict[str, Any]) -> None:
    assert rejected(400, M=40, **more) <= most(400)


def test_degrees_of_freedom_are_welchs_for_one_bin_and_of_the_noisier_part_where_it_alone_matters() -> None:
    def scalar(variance: float) -> np.ndarray:
        return np.array([[variance]])

    welch = 3.0**2 / (1.0**2 / 10 + 2.0**2 / 40)
    assert degrees_of_freedom(((scalar(1.0), 10), (scalar(2.0), 40)), scalar(1 / 3)) == pytest.approx(welch)
    both = np.diag([1.0, 2.0])
    assert degrees_of_freedom(((both, 30), (0 * both, 5)), np.linalg.inv(both)) == pytest.approx(30)
    assert degrees_of_freedom(((both / 2, 30), (both / 2, 30)), np.linalg.inv(both)) == pytest.approx(60)


def test_the_same_distance_tells_less_where_it_comes_from_fewer_prompts() -> None:
    rng = np.random.default_rng(0)
    accuracy_C = np.linspace(0.55, 0.9, 12)
    halves_BC = tuple(accuracy_C + 0.01 * rng.standard_normal((401, 12)) for _ in range(2))
    slope_BC = np.sin(np.pi * (accuracy_C - 0.5)) + 0.05 + 0.02 * rng.standard_normal((401, 12))
    pairs = Pairs(accuracy_C, halves_BC, slope_BC)
    few, many = (curve_test(pairs, bins=4, rm_prompts=size, rl_prompts=size) for size in (16, 1000))
    assert few.p_value > 5 * many.p_value
    assert few.degrees < 30 < many.degrees
    assert many.bins == 4


def test_without_enough_prompts_replicates_or_noise_there_is_no_test() -> None:
    rng = np.random.default_rng(0)
    noisy_BC, still_BC = 0.7 + 0.01 * rng.standard_normal((101, 6)), np.full((101, 6), 0.7)
    pairs = Pairs(noisy_BC[0], (noisy_BC, noisy_BC[::-1]), noisy_BC)
    assert curve_test(pairs, bins=4, rm_prompts=40, rl_prompts=40).p_value is not None
    assert curve_test(pairs, bins=4, rm_prompts=3, rl_prompts=40).p_value is None
    assert curve_test(pairs, bins=4, rm_prompts=4, rl_prompts=2).p_value is None
    few = Pairs(noisy_BC[0], (noisy_BC[:9], noisy_BC[:9]), noisy_BC[:9])
    assert curve_test(few, bins=4, rm_prompts=40, rl_prompts=40).p_value is None
    still = Pairs(still_BC[0], (still_BC, still_BC), still_BC)
    assert curve_test(still, bins=4, rm_prompts=40, rl_prompts=40).p_value is None
    nothing = Pairs(np.zeros(0), (np.zeros((101, 0)), np.zeros((101, 0))), np.zeros((101, 0)))
    assert curve_test(nothing, bins=4, rm_prompts=40, rl_prompts=40).bins == 0
