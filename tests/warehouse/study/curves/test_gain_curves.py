"""Gain curves and the map of degrees: known curves come back, averages are those of plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.warehouse.study.curves.simulated import best_of_n, lawful, policy_values
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.study.curves.gain_curves import degree_map, gain_curves
from warehouse.study.curves.gain_laws import Law, coefficients_of, degrees, peaks
from warehouse.study.curves.strength_curves import ndr_curve
from warehouse.study.curves.value_curves import ValueCurves


@pytest.mark.parametrize(("optimizer", "law"), [("bon", "best-of-n"), ("ppo", "rl")])
def test_the_law_of_a_pair_comes_back_with_its_peak_and_degree(optimizer: str, law: Law) -> None:
    kl = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
    curves, (alpha, beta) = lawful(optimizer, kl)
    spread = np.array([2.0, 0.5, 1.0])
    found = gain_curves(curves, spread, golden="rm-1", proxy="rm-2", replicates=300)
    golden, own, proxy = (found.curves[name] for name in ("golden", "own", "proxy"))
    assert golden.alpha.value == pytest.approx(alpha[1, 2] / 0.5)
    assert golden.beta.value == pytest.approx(beta[1, 2] / 0.5)
    assert own.alpha.value == pytest.approx(alpha[1, 1] / 0.5)
    assert proxy.alpha.value == pytest.approx(alpha[2, 2] / 1.0)
    for estimate in (golden.alpha, golden.beta):
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < estimate.value < estimate.high  # type: ignore[operator]
    fits = {}
    for name, m in (("own", 1), ("golden", 2)):
        gains = np.array([[value.optimised_MMQ[1, m].mean() - 5.0] for value in curves.values])
        found_fit = coefficients_of(np.sqrt(kl), gains, law)
        assert found_fit is not None
        fits[name] = found_fit
    assert golden.peak.value == pytest.approx(peaks(fits["golden"], law)[0])
    assert golden.fit == pytest.approx(fits["golden"][:, 0] / 0.5)
    expected = degrees(fits["own"], fits["golden"], np.sqrt(8.0), law)[0][0]
    assert found.degree.value == pytest.approx(expected)
    assert degree_map(curves, replicates=100).degree_MM[1, 2] == pytest.approx(expected)


def test_averages_are_those_of_a_loop_over_pairs_in_units_of_the_goldens_spread() -> None:
    curves, _ = best_of_n()
    spread = np.array([1.0, 2.0, 0.5, 1.5])
    found = gain_curves(curves, spread, replicates=50)
    at = {"own": [], "golden": [], "proxy": []}  # type: dict[str, list[float]]
    values = curves.values[3]
    gain = (values.optimised_MMQ - values.initial_MQ[:, None]).mean(axis=2) / spread[:, None]
    for g in range(4):
        for m in range(4):
            if g != m:
                at["own"].append(gain[g, g])
                at["golden"].append(gain[g, m])
                at["proxy"].append(gain[m, m])
    for name, each in at.items():
        assert found.curves[name].gains[3].value == pytest.approx(np.mean(each))
    assert found.pairs == 12
    assert found.resampled == "reward models × prompts"
    one = gain_curves(curves, spread, golden="rm-2", replicates=50)
    assert one.curves["golden"].gains[3].value == pytest.approx((gain[2].sum() - gain[2, 2]) / 3)
    assert one.pairs == 3


def test_a_curve_that_does_not_bend_down_has_no_peak_and_one_that_may_not_has_an_open_interval() -> None:
    curves, _ = lawful("bon", (0.5, 1.0, 2.0), noise=0.0)
    straight = ValueCurves(
        "bon",
        curves.strengths,
        curves.kl_SM,
        "bound",
        tuple(
            policy_values(np.full((3, 3, 6), np.sqrt(kl) * (1 + 0.1 * np.sqrt(kl))), np.zeros((3, 6)))
            for kl in (0.5, 1.0, 2.0)
        ),
    )
    found = gain_curves(straight, np.ones(3), replicates=50).curves["golden"]
    assert found.peak.value is None
    assert found.peaks == 0.0
    wobbling, _ = lawful("bon", (0.5, 1.0, 2.0), noise=3.0)
    open_ended = gain_curves(wobbling, np.ones(3), golden="rm-0", proxy="rm-1", replicates=400).curves["golden"]
    assert 0.2 < open_ended.peaks < 0.97
    assert open_ended.peak.high is None


def test_too_few_strengths_give_points_without_a_fit() -> None:
    curves, _ = lawful("bon", (0.0, 1.0, 2.0))
    found = gain_curves(curves, np.ones(3), replicates=20)
    assert found.curves["golden"].fit is None
    assert found.curves["golden"].gains[2].value is not None
    assert found.degree.value is None
    with pytest.raises(InvalidChoice, match="three or more"):
        degree_map(curves, replicates=20)


@pytest.mark.parametrize("optimizer", ["bon", "ppo"])
def test_a_kl_estimated_below_zero_is_no_distance_and_is_counted(optimizer: str) -> None:
    kl = (0.0, 0.5, 1.0, 2.0, 4.0)
    curves, _ = lawful(optimizer, kl)
    below = replace(curves, kl_SM=np.where(curves.kl_SM == 0, -0.3, curves.kl_SM))
    assert (curves.below_zero, below.below_zero) == (0, 3)
    for golden, proxy in ((None, None), ("rm-1", "rm-2")):
        expected = gain_curves(curves, np.ones(3), golden=golden, proxy=proxy, replicates=50)
        found = gain_curves(below, np.ones(3), golden=golden, proxy=proxy, replicates=50)
        assert replace(found, below_zero=0) == expected
        assert found.below_zero == 3
    expected_map, found_map = (degree_map(one, replicates=50) for one in (curves, below))
    np.testing.assert_array_equal(found_map.degree_MM, expected_map.degree_MM)
    assert found_map.below_zero == 3
    assert ndr_curve(below, replicates=50) == ndr_curve(curves, replicates=50)


def test_only_the_reward_model_that_hardly_moved_has_no_degrees() -> None:
    curves, _ = lawful("ppo", (0.2, 0.5, 1.0, 2.0))
    still = curves.kl_SM.copy()
    still[:3, 1] = -0.1
    whole = degree_map(curves, replicates=50)
    found = degree_map(replace(curves, kl_SM=still), replicates=50)
    assert found.defined_MM.tolist() == [[False, False, True], [False] * 3, [True, False, False]]
    np.testing.assert_array_equal(found.degree_MM[0, 2], whole.degree_MM[0, 2])
    assert np.isfinite(found.degree_MM).all()
    with pytest.raises(InvalidChoice, match="three or more"):
        degree_map(replace(curves, kl_SM=-curves.kl_SM), replicates=20)
    assert gain_curves(replace(curves, kl_SM=-curves.kl_SM), np.ones(3), replicates=20).degree.value is None


def test_a_reward_model_without_spread_is_left_out_and_unknown_ones_are_named() -> None:
    curves, _ = best_of_n()
    assert gain_curves(curves, np.array([1.0, 0.0, 1.0, 1.0]), replicates=20).pairs == 6
    with pytest.raises(InvalidChoice, match="tell responses apart"):
        gain_curves(curves, np.zeros(4), replicates=20)
    with pytest.raises(UnknownName, match="'x'"):
        gain_curves(curves, np.ones(4), golden="x", replicates=20)
    with pytest.raises(InvalidChoice, match="oneself"):
        ndr_curve(curves, golden="rm-0", proxy="rm-0", replicates=20)
