"""Overoptimisation fits on curves that are known, and γ against numerical integration."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from scipy import integrate, optimize

from warehouse.metrics.policies.best_of_n import best_of_n_kl_bound
from warehouse.study.curves.gain_laws import Law, coefficients_of, degrees, gains_at, peaks

CURVES = {
    "best-of-n": lambda d, alpha, beta: d * (alpha - beta * d),
    "rl": lambda d, alpha, beta: d * (alpha - beta * np.log(d)),
}
OPTIMIZERS: tuple[Law, ...] = ("best-of-n", "rl")


def fit(kl: ArrayLike, gain: ArrayLike, law: Law) -> NDArray[np.float64]:
    """α and β `[2, 1]` of one curve."""
    found = coefficients_of(np.sqrt(np.asarray(kl, dtype=float)), np.asarray(gain, dtype=float)[:, None], law)
    assert found is not None
    return found


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_exact_curve_is_found_exactly_with_its_peak(optimizer: Law) -> None:
    kl = np.linspace(0.1, 30, 25)
    found = fit(kl, CURVES[optimizer](np.sqrt(kl), 1.7, 0.4), optimizer)
    assert found[:, 0] == pytest.approx((1.7, 0.4))
    peak = optimize.minimize_scalar(lambda d: -CURVES[optimizer](d, 1.7, 0.4), bounds=(0.1, 100), method="bounded")
    (distance,), (bends,) = peaks(found, optimizer)
    assert bends
    assert distance == pytest.approx(peak.x, rel=1e-4)
    coefficients = (float(found[0, 0]), float(found[1, 0]))
    assert gains_at(coefficients, np.array([distance]), optimizer) == pytest.approx(-peak.fun)
    np.testing.assert_allclose(
        gains_at(coefficients, np.array([0.0, 2.0]), optimizer), [0.0, CURVES[optimizer](2.0, 1.7, 0.4)], atol=1e-9
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_scatter_of_many_fits_is_that_of_least_squares(optimizer: Law) -> None:
    rng = np.random.default_rng(0)
    kl, sigma = np.array([best_of_n_kl_bound(2**k) for k in range(1, 13)]), 0.05
    d = np.sqrt(kl)
    gains = CURVES[optimizer](d, 1.2, 0.3)[:, None] + sigma * rng.standard_normal((len(kl), 400))
    found = coefficients_of(d, gains, optimizer)
    assert found is not None
    design = np.stack([d, CURVES[optimizer](d, 0.0, 1.0)], axis=1)
    covariance = sigma**2 * np.linalg.inv(design.T @ design)
    assert found.std(axis=1) == pytest.approx(np.sqrt(np.diag(covariance)), rel=0.15)
    alpha, beta = found
    distance, bends = peaks(found, optimizer)
    assert bends.all()
    if optimizer == "best-of-n":
        slope = np.stack([1 / (2 * beta), -alpha / (2 * beta**2)])
    else:
        slope = distance * np.stack([1 / beta, -alpha / beta**2])
    variance = np.einsum("ib,ij,jb->b", slope, covariance, slope)  # of each peak, by the delta method
    assert np.sqrt(variance.mean()) == pytest.approx(distance.std(), rel=0.15)


@pytest.mark.parametrize(("optimizer", "alpha", "beta"), [("best-of-n", 1, -0.1), ("best-of-n", -1, 0.1), ("rl", 1, 0)])
def test_a_curve_that_does_not_bend_down_has_no_peak(optimizer: Law, alpha: float, beta: float) -> None:
    kl = np.linspace(0.5, 5, 9)
    _, bends = peaks(fit(kl, CURVES[optimizer](np.sqrt(kl), alpha, beta), optimizer), optimizer)
    assert not bends.any()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("proxy", [(1.0, 0.2), (0.8, 0.5), (1.6, 0.5), (0.2, -0.1), (1.2, 0.1)])
def test_gamma_is_the_area_between_the_curves_over_kl(optimizer: Law, proxy: tuple[float, float]) -> None:
    kl, largest = np.linspace(0.1, 9, 20), 7.0
    f, g = (fit(kl, CURVES[optimizer](np.sqrt(kl), *coefficients), optimizer) for coefficients in ((1.2, 0.1), proxy))
    grid = np.linspace(1e-9, largest, 400_001)
    f_at, g_at = (gains_at((one[0, 0], one[1, 0]), np.sqrt(grid), optimizer) for one in (f, g))
    between = integrate.simpson(np.abs(f_at - g_at), x=grid)
    own = integrate.simpson(f_at, x=grid)
    (degree,), (defined,) = degrees(f, g, float(np.sqrt(largest)), optimizer)
    assert defined
    assert degree == pytest.approx(between / own, abs=1e-6)


def test_gamma_is_undefined_where_the_golden_itself_gains_nothing() -> None:
    kl = np.linspace(0.5, 5, 9)
    up, down = (fit(kl, sign * np.sqrt(kl), "best-of-n") for sign in (1, -1))
    farthest = float(np.sqrt(5.0))
    assert not degrees(down, up, farthest, "best-of-n")[1].any()
    assert degrees(up, up, farthest, "best-of-n")[0] == 0.0


@pytest.mark.parametrize("kl", [[0.0, 1.0, 2.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
def test_points_that_determine_no_curve_have_no_fit(kl: list[float]) -> None:
    for law in OPTIMIZERS:
        assert coefficients_of(np.sqrt(kl), np.array([[0.0], [1.0], [2.0]]), law) is None


def test_gains_of_zero_are_a_flat_curve() -> None:
    found = fit([1, 2, 3], [0, 0, 0], "best-of-n")
    assert np.abs(found).max() == 0.0
    assert not peaks(found, "best-of-n")[1].any()
