"""NDR and response length along the strengths of an optimiser, against an evaluation and plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from tests.warehouse.study.curves.simulated import best_of_n, policy_values
from tests.warehouse.study.simulate import cube_of
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.study import evaluate
from warehouse.study.curves.strength_curves import length_drift, ndr_curve
from warehouse.study.curves.value_curves import ValueCurves


def test_drift_is_the_mean_over_reward_models_and_prompts_with_intervals_that_hold_it() -> None:
    rng = np.random.default_rng(1)
    tokens = 20 + 5 * np.arange(3)[:, None, None] + rng.standard_normal((3, 4, 50))
    found = length_drift(tokens, replicates=300)
    for s in range(3):
        mean = found.mean[s]
        assert mean.value == pytest.approx(tokens[s].mean())
        assert mean.low < mean.value < mean.high  # type: ignore[operator]
        assert found.of_each[s][2].value == pytest.approx(tokens[s, 2].mean())
    half = 1.96 * tokens[0, 2].std(ddof=1) / np.sqrt(50)
    assert found.of_each[0][2].high - tokens[0, 2].mean() == pytest.approx(half, rel=0.25)  # type: ignore[operator]
    with pytest.raises(InvalidChoice):
        length_drift(np.zeros((2, 3)))


def test_ndr_along_strengths_is_that_of_an_evaluation_and_its_change_is_paired() -> None:
    curves, scores = best_of_n()
    found = ndr_curve(curves, replicates=200)
    assert found.undefined[0] == 12  # best-of-1 is the initial policy
    assert found.ndr[0].value is None
    evaluation = evaluate(cube_of(scores[:, :, :4]), curves.values[4], replicates=200)
    off = evaluation.ndr_defined_MM
    assert found.ndr[4].value == pytest.approx(evaluation.ndr_MM[off].mean())
    assert found.undefined[4] == evaluation.undefined_pairs
    assert found.change is not None
    assert found.change.pairs == 12
    assert (found.change.first, found.change.last) == ((2.0, found.ndr[1].value), (16.0, found.ndr[4].value))
    change = found.change.difference
    assert change.value == pytest.approx(found.ndr[4].value - found.ndr[1].value)  # type: ignore[operator]
    assert change.high - change.low < found.ndr[4].high - found.ndr[4].low  # type: ignore[operator]
    one = ndr_curve(curves, golden="rm-0", proxy="rm-2", replicates=200)
    assert one.ndr[4].value == pytest.approx(evaluation.ndr_MM[0, 2])
    assert (one.ndr[4].low, one.ndr[4].high) == pytest.approx(
        (evaluation.ndr_low_MM[0, 2], evaluation.ndr_high_MM[0, 2])
    )


def test_a_change_is_of_the_pairs_that_are_defined_at_both_ends() -> None:
    """A golden whose own gain becomes clear only at the last strength, where its proxies keep much, changes nothing."""
    rng = np.random.default_rng(0)
    own = np.eye(3, dtype=bool)[..., None]
    strengths = []
    for kept, gained in ((0.8, 0.0), (0.5, 1.0)):
        optimised = np.where(own, 1.0, kept) + 0.01 * rng.standard_normal((3, 3, 40))
        optimised[2] = np.where(own[2], gained, 0.95 * gained) + 0.01 * rng.standard_normal((3, 40))
        strengths.append(policy_values(optimised, np.zeros((3, 40))))
    strengths[0].optimised_MMQ[2, 2] -= 0.1
    curves = ValueCurves("ppo", (10.0, 20.0), np.ones((2, 3)), "k3", tuple(strengths))
    found = ndr_curve(curves, replicates=100)
    assert found.undefined == (2, 0)
    assert found.change is not None
    assert found.change.pairs == 4
    assert found.change.difference.value == pytest.approx(-0.3, abs=0.01)
    assert found.ndr[1].value == pytest.approx((4 * 0.5 + 2 * 0.95) / 6, abs=0.01)
    silent = ValueCurves("ppo", (10.0,), np.ones((1, 3)), "k3", (strengths[0],))
    assert ndr_curve(silent, replicates=20).change is None


def test_categories_choose_prompts() -> None:
    curves, _ = best_of_n()
    chat = ndr_curve(curves, rl_categories=("Chat",), replicates=20)
    assert chat.prompts == 15
    with pytest.raises((InvalidChoice, UnknownName)):
        ndr_curve(curves, rl_categories=("Poetry",), replicates=20)
