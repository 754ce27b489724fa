"""NDR and response length along the strengths of an optimiser, against an evaluation and plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from tests.warehouse.study.curves import best_of_n
from tests.warehouse.study.simulate import cube_of
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.study import evaluate
from warehouse.study.strength_curves import length_drift, ndr_curve


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
    assert found.change.value == pytest.approx(found.ndr[4].value - found.ndr[1].value)  # type: ignore[operator]
    assert found.change.high - found.change.low < found.ndr[4].high - found.ndr[4].low  # type: ignore[operator]
    one = ndr_curve(curves, golden="rm-0", proxy="rm-2", replicates=200)
    assert one.ndr[4].value == pytest.approx(evaluation.ndr_MM[0, 2])
    assert (one.ndr[4].low, one.ndr[4].high) == pytest.approx(
        (evaluation.ndr_low_MM[0, 2], evaluation.ndr_high_MM[0, 2])
    )


def test_categories_choose_prompts() -> None:
    curves, _ = best_of_n()
    chat = ndr_curve(curves, rl_categories=("Chat",), replicates=20)
    assert chat.prompts == 15
    with pytest.raises((InvalidChoice, UnknownName)):
        ndr_curve(curves, rl_categories=("Poetry",), replicates=20)
