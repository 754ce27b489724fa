"""Correlations freed of noise: the law of attenuation is undone exactly, the parabola where that is right."""

from __future__ import annotations

import numpy as np
import pytest

from warehouse.stats.noise import HIGH, LOW, Side, corrected, ways
from warehouse.stats.resampling import NOISE_LEVELS


def attenuated(r: float, noise: float) -> tuple[float, list[float]]:
    """Pearson r under noise of this variance beside a signal's 1, and with more of it."""
    return r / np.sqrt(1 + noise), [float(r / np.sqrt(1 + noise * (1 + level))) for level in NOISE_LEVELS]


@pytest.mark.parametrize("noise", [0.05, 0.3, 0.8])
def test_the_law_of_attenuation_is_undone_exactly(noise: float) -> None:
    sample, values = attenuated(0.95, noise)
    assert ways(sample, [Side(values, 0.0)], "pearson").by_law == pytest.approx(0.95)
    half = 0.95 / np.sqrt(1 + 0.5 * noise)
    assert ways(sample, [Side(values, 0.5)], "pearson").by_law == pytest.approx(half)


def test_noise_on_both_sides_is_undone_side_by_side() -> None:
    first, second = 0.2, 0.5
    sample = 0.9 / np.sqrt((1 + first) * (1 + second))
    sides = [
        Side([float(sample * np.sqrt((1 + own) / (1 + own * (1 + level)))) for level in NOISE_LEVELS], 0.0)
        for own in (first, second)
    ]
    assert ways(float(sample), sides, "pearson").by_law == pytest.approx(0.9)


def test_kendall_of_normal_values_is_undone_through_its_sine() -> None:
    sample, values = attenuated(0.9, 0.3)
    to_tau = [float(2 / np.pi * np.arcsin(r)) for r in (sample, *values)]
    assert ways(to_tau[0], [Side(to_tau[1:], 0.0)], "kendall").by_law == pytest.approx(2 / np.pi * np.arcsin(0.9))


def test_a_parabola_is_followed_exactly_and_decides_below_low() -> None:
    curve = [0.4 - 0.05 * level + 0.004 * level**2 for level in (0, *NOISE_LEVELS)]
    fixed = corrected(curve[0], [Side(curve[1:], 0.0)], "pearson")
    assert fixed.value == pytest.approx(0.4 + 0.05 + 0.004)
    assert fixed.value < LOW
    assert fixed.factor == pytest.approx(fixed.value / 0.4)


def test_the_law_decides_above_high_and_the_distance_between_the_ways_is_an_error() -> None:
    sample, values = attenuated(0.99, 0.06)
    side = Side(values, 0.0)
    by_parabola, by_law = ways(sample, [side], "pearson")
    fixed = corrected(sample, [side], "pearson")
    assert by_parabola > HIGH
    assert fixed.value == by_law
    assert fixed.error == pytest.approx(0.5 * (by_law - by_parabola))


def test_nothing_to_take_off_changes_nothing_and_nothing_leaves_the_range() -> None:
    assert corrected(0.7, [], "kendall") == pytest.approx((0.7, 1.0, 0.0))
    steep = [0.5, 0.2, 0.1]
    assert corrected(0.98, [Side(steep, 0.0)], "kendall").value <= 1.0
    assert corrected(0.98, [Side(steep, 0.0)], "mrr").value <= 1.0
    assert corrected(0.0, [Side([0.0, 0.0, 0.0], 0.0)], "spearman").value == 0.0


def test_signs_are_kept() -> None:
    sample, values = attenuated(0.8, 0.3)
    plus, minus = corrected(sample, [Side(values, 0.0)], "spearman"), None
    minus = corrected(-sample, [Side([-value for value in values], 0.0)], "spearman")
    assert minus.value == pytest.approx(-plus.value)
    assert minus.factor == pytest.approx(plus.factor)
