"""Gain per nat and efficiency: the ideal tilt has 1, a loss has 0, and without a KL above 0 there is none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.planted_choice import Choice
from warehouse.stats.bootstrap import NOTHING, Estimate
from warehouse.study.choice.per_nat import each_per_nat, per_nat
from warehouse.study.choice.worth import Sides, best_of_n, of_policies
from warehouse.study.power import t_interval


def test_the_ideal_tilt_of_normal_scores_has_an_efficiency_of_1() -> None:
    tilt = 0.7  # mean of the tilted golden in sd; its KL is tilt² / 2
    each = per_nat(Estimate(tilt, tilt - 0.1, tilt + 0.1, 0), tilt**2 / 2)
    assert each.efficiency.value == pytest.approx(1.0)
    assert each.gain.value == pytest.approx(2 / tilt)
    assert (each.gain.low, each.gain.high) == pytest.approx((0.6 / 0.245, 0.8 / 0.245))


def test_a_policy_that_loses_has_an_efficiency_of_0_and_a_negative_gain_per_nat() -> None:
    each = per_nat(Estimate(-0.2, -0.5, 0.1, 0), 0.5)
    assert (each.efficiency.value, each.efficiency.low) == (0.0, 0.0)
    assert each.efficiency.high == pytest.approx(0.01)
    assert each.gain.value == pytest.approx(-0.4)


@pytest.mark.parametrize("kl", [None, 0.0, -0.01])
def test_without_a_kl_above_0_both_are_undefined(kl: float | None) -> None:
    each = per_nat(Estimate(1.0, 0.5, 1.5, 0), kl)
    assert (each.kl, each.gain, each.efficiency) == (kl, NOTHING, NOTHING)


@pytest.mark.parametrize("labels", [False, True])
def test_gains_are_in_sd_of_the_golden_also_where_the_figure_is_a_share(labels: bool) -> None:
    cube, sides = Choice("a ladder", M=3, Q=40, labels=labels).study(1), Sides([0], [1, 2, 3])
    values, spread_M = best_of_n(cube, 4), np.array([0.4, 1.0, 1.0, 1.0])
    worth = of_policies(values, sides, spread_M, share=labels)
    assert worth.unit == ("share" if labels else "sd")
    each = each_per_nat(worth, {"rm-0": 0.5, "rm-1": 2.0})
    for place, kl in enumerate((0.5, 2.0)):
        gain = t_interval((values.optimised_MMQ[0, place + 1] - values.initial_MQ[0]) / 0.4)
        assert each[place].gain.value == pytest.approx(gain.value / kl)
        assert each[place].gain.low == pytest.approx(gain.low / kl)
        assert each[place].efficiency.value == pytest.approx(gain.value**2 / (2 * kl))
    assert each[2].gain == NOTHING
