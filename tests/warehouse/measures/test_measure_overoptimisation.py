"""Overoptimisation fits on curves that are known, and γ against numerical integration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, optimize

from warehouse.errors import InvalidChoice
from warehouse.measures import best_of_n_kl_bound, fit_overoptimisation, overoptimisation_degree
from warehouse.measures.overoptimisation import Optimizer

CURVES = {
    "best-of-n": lambda d, alpha, beta: d * (alpha - beta * d),
    "rl": lambda d, alpha, beta: d * (alpha - beta * np.log(d)),
}
OPTIMIZERS: tuple[Optimizer, ...] = ("best-of-n", "rl")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_exact_curve_is_found_exactly_with_its_peak(optimizer: Optimizer) -> None:
    kl = np.linspace(0.1, 30, 25)
    fit = fit_overoptimisation(kl, CURVES[optimizer](np.sqrt(kl), 1.7, 0.4), optimizer)
    assert (fit.alpha, fit.beta) == pytest.approx((1.7, 0.4))
    assert fit.alpha_error == pytest.approx(0, abs=1e-9)
    assert fit.r_squared == pytest.approx(1.0)
    peak = optimize.minimize_scalar(lambda d: -CURVES[optimizer](d, 1.7, 0.4), bounds=(0.1, 100), method="bounded")
    assert fit.peak_distance == pytest.approx(peak.x, rel=1e-4)
    assert fit.peak_reward == pytest.approx(-peak.fun)
    np.testing.assert_allclose(fit.at(np.array([0.0, 2.0])), [0.0, CURVES[optimizer](2.0, 1.7, 0.4)], atol=1e-9)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("known", [True, False])
def test_standard_errors_are_the_scatter_of_many_fits(optimizer: Optimizer, known: bool) -> None:
    rng = np.random.default_rng(0)
    kl, sigma = np.array([best_of_n_kl_bound(2**k) for k in range(1, 13)]), 0.05
    truth = CURVES[optimizer](np.sqrt(kl), 1.2, 0.3)
    errors = np.full(len(kl), sigma) if known else None
    fits = [
        fit_overoptimisation(kl, truth + sigma * rng.standard_normal(len(kl)), optimizer, errors) for _ in range(400)
    ]
    for name in ("alpha", "beta", "peak_distance"):
        scatter = np.std([getattr(fit, name) for fit in fits])
        assert np.sqrt(np.mean([getattr(fit, f"{name}_error") ** 2 for fit in fits])) == pytest.approx(
            scatter, rel=0.15
        )


@pytest.mark.parametrize(("optimizer", "alpha", "beta"), [("best-of-n", 1, -0.1), ("best-of-n", -1, 0.1), ("rl", 1, 0)])
def test_a_curve_that_does_not_bend_down_has_no_peak(optimizer: Optimizer, alpha: float, beta: float) -> None:
    kl = np.linspace(0.5, 5, 9)
    fit = fit_overoptimisation(kl, CURVES[optimizer](np.sqrt(kl), alpha, beta), optimizer)
    if abs(beta) > 0:
        assert fit.peak_distance is fit.peak_distance_error is fit.peak_reward is None
    else:
        assert fit.peak_distance is None or fit.peak_distance > 1e100


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("proxy", [(1.0, 0.2), (0.8, 0.5), (1.6, 0.5), (0.2, -0.1), (1.2, 0.1)])
def test_gamma_is_the_area_between_the_curves_over_kl(optimizer: Optimizer, proxy: tuple[float, float]) -> None:
    kl, largest = np.linspace(0.1, 9, 20), 7.0
    f, g = (
        fit_overoptimisation(kl, CURVES[optimizer](np.sqrt(kl), *coefficients), optimizer)
        for coefficients in ((1.2, 0.1), proxy)
    )
    grid = np.linspace(1e-9, largest, 400_001)
    between = integrate.simpson(np.abs(f.at(np.sqrt(grid)) - g.at(np.sqrt(grid))), x=grid)
    own = integrate.simpson(f.at(np.sqrt(grid)), x=grid)
    assert overoptimisation_degree(f, g, largest) == pytest.approx(between / own, abs=1e-6)


def test_gamma_is_undefined_where_the_golden_itself_gains_nothing() -> None:
    kl = np.linspace(0.5, 5, 9)
    up, down = (fit_overoptimisation(kl, sign * np.sqrt(kl), "best-of-n") for sign in (1, -1))
    assert overoptimisation_degree(down, up, 5.0) is None
    assert overoptimisation_degree(up, up, 5.0) == 0.0
    rl = fit_overoptimisation(kl, np.sqrt(kl), "rl")
    with pytest.raises(InvalidChoice, match="compare like with like"):
        overoptimisation_degree(up, rl, 5.0)
    with pytest.raises(InvalidChoice, match="largest KL is 0"):
        overoptimisation_degree(up, up, 0)


@pytest.mark.parametrize(
    ("kl", "gain", "message"),
    [
        ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], "2 points at 2 distances above 0"),
        ([1.0, 1.0, 1.0], [0.0, 1.0, 2.0], "3 points at 1 distances"),
        ([1.0, 2.0, -1.0], [0.0, 1.0, 2.0], "KL has to be 0 or more"),
        ([1.0, 2.0, 3.0], [0.0, 1.0, float("nan")], "gains finite"),
        ([1.0, 2.0], [0.0, 1.0, 2.0], "one number per point"),
    ],
)
def test_points_that_no_curve_goes_through_are_refused(kl: list[float], gain: list[float], message: str) -> None:
    with pytest.raises(InvalidChoice, match=message):
        fit_overoptimisation(kl, gain, "best-of-n")
    with pytest.raises(InvalidChoice, match="'best-of-n' and 'rl'"):
        fit_overoptimisation(kl, gain, "ppo")  # type: ignore[arg-type]


def test_gains_of_zero_have_no_share_explained() -> None:
    assert fit_overoptimisation([1, 2, 3], [0, 0, 0], "best-of-n").r_squared is None
