"""The Goodhart relations: closed forms, and the slope of normal reward models along best-of-n."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.warehouse.study.simulate import accuracy_of_correlation, correlations, cube_of, normal_scores, values_of
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import spread_within_prompts
from warehouse.study import PolicyValues, ScoreCube
from warehouse.study.goodhart import goodhart_slopes, slope_of_accuracy

NOISE = np.linspace(0.2, 2.0, 6)


def normal_study(seed: int, P: int = 400, N: int = 16) -> tuple[ScoreCube, list[PolicyValues], np.ndarray]:
    rng = np.random.default_rng(seed)
    samples = normal_scores(rng, NOISE, P, N) + rng.standard_normal((1, P, 1))
    steps = [values_of(samples, n) for n in (1, 2, 4, 8, 16)]
    return cube_of(normal_scores(rng, NOISE, P, 5)), steps, spread_within_prompts(samples)


def test_slope_and_accuracy_are_inverse_to_one_another() -> None:
    rho = np.linspace(-1, 1, 21)
    np.testing.assert_allclose(slope_of_accuracy(accuracy_of_correlation(rho)), rho, atol=1e-12)
    assert accuracy_of_correlation(0.0) == 0.5
    assert slope_of_accuracy([0.5, 1.0]).tolist() == [0.0, 1.0]


def test_spread_is_within_prompts_and_unbiased() -> None:
    _, _, spread = normal_study(0, P=4000)
    np.testing.assert_allclose(spread, 1.0, atol=0.02)
    with pytest.raises(InvalidChoice, match="2 samples"):
        spread_within_prompts(np.zeros((2, 3, 1)))


def test_slope_of_normal_reward_models_is_their_correlation_and_the_curve_of_their_accuracy() -> None:
    cube, steps, spread = normal_study(1, P=3000)
    found = goodhart_slopes(cube, steps, spread, replicates=200)
    off = ~np.eye(6, dtype=bool)
    np.testing.assert_array_equal(found.defined_MM, off)
    np.testing.assert_allclose(found.slope_MM[off], correlations(NOISE)[off], atol=0.04)
    np.testing.assert_allclose(found.curve_MM[off], correlations(NOISE)[off], atol=0.04)
    assert sum(each.pairs for each in found.bins) == 30
    for each in found.bins:
        assert each.low < each.slope < each.high
    assert found.test.bins == 4
    assert 0.0 <= found.test.p_value <= 1.0


def test_the_slope_is_least_squares_through_the_origin_of_standardised_gains() -> None:
    cube, steps, spread = normal_study(2, P=50)
    found = goodhart_slopes(cube, steps, spread, replicates=20)
    gains = np.array([(v.optimised_MMQ - v.initial_MQ[:, None]).mean(axis=2) / spread[:, None] for v in steps])
    x, y = gains[:, 3, 3], gains[:, 1, 3]
    assert found.slope_MM[1, 3] == pytest.approx(np.linalg.lstsq(x[:, None], y, rcond=None)[0][0])


def test_a_proxy_that_misleads_where_it_optimises_is_found_out() -> None:
    cube, steps, spread = normal_study(3)
    halved = [
        replace(
            v,
            optimised_MMQ=np.where(
                np.eye(6, dtype=bool)[:, :, None], v.optimised_MMQ, (v.optimised_MMQ + v.initial_MQ[:, None]) / 2
            ),
        )
        for v in steps
    ]
    assert goodhart_slopes(cube, halved, spread, replicates=200).test.p_value < 1e-3


def test_a_proxy_without_gain_has_no_slope_and_few_replicates_no_test() -> None:
    cube, steps, spread = normal_study(4, P=30)
    found = goodhart_slopes(cube, steps[:1], spread, replicates=20)  # best of 1 gains nothing
    assert not found.slope_MM[~found.defined_MM].any()
    few = goodhart_slopes(cube, steps, spread, replicates=4)
    assert few.test.t2 is None
    assert few.test.p_value is None
    still = [replace(v, optimised_MMQ=np.repeat(v.initial_MQ[:, None], 6, axis=1)) for v in steps]
    nothing = goodhart_slopes(cube, still, spread, replicates=4)
    assert not nothing.defined_MM.any()
    assert nothing.bins == ()
    assert nothing.test.t2 is None


def test_choices_that_do_not_fit_are_refused() -> None:
    cube, steps, spread = normal_study(5, P=20)
    with pytest.raises(InvalidChoice, match="no strengths"):
        goodhart_slopes(cube, [], spread)
    with pytest.raises(InvalidChoice, match="one number above 0 per reward model"):
        goodhart_slopes(cube, steps, spread[:2])
    with pytest.raises(InvalidChoice, match="bins is 0"):
        goodhart_slopes(cube, steps, spread, bins=0)
    with pytest.raises(InvalidChoice, match="from one run"):
        goodhart_slopes(cube, [replace(steps[0], reward_models=tuple("abcdef"))], spread)
