"""Ensembles against plain loops over responses and members."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from warehouse.errors import InvalidChoice
from warehouse.metrics.ensembles import combined, scales, standardised

SCORES = np.random.default_rng(3).normal([[5.0], [-2.0], [0.0]], [[3.0], [0.1], [40.0]], (3, 50))


@pytest.mark.parametrize(("how", "weight"), [("mean", 1.0), ("worst", 1.0), ("uncertainty", 0.5), ("uncertainty", 2.0)])
def test_each_way_is_that_of_a_loop(how: str, weight: float) -> None:
    reference, others = SCORES[:, :20], SCORES[:, 20:]
    found = combined(standardised(others, *scales(reference, ("a", "b", "c"))), how, weight)
    for response, own in zip(others.T, found, strict=True):
        standard = [
            (score - statistics.fmean(member)) / statistics.pstdev(member)
            for score, member in zip(response.tolist(), reference.tolist(), strict=True)
        ]
        expected = {
            "mean": statistics.fmean(standard),
            "worst": min(standard),
            "uncertainty": statistics.fmean(standard) - weight * statistics.pstdev(standard),
        }
        assert own == pytest.approx(expected[how])


def test_a_members_own_scale_does_not_matter() -> None:
    names = ("a", "b", "c")
    changed = SCORES * np.array([[7.0], [0.5], [100.0]]) + 3.0
    for how in ("mean", "worst", "uncertainty"):
        before = combined(standardised(SCORES, *scales(SCORES, names)), how)
        after = combined(standardised(changed, *scales(changed, names)), how)
        np.testing.assert_allclose(after, before)


def test_without_weight_uncertainty_is_the_mean() -> None:
    np.testing.assert_allclose(combined(SCORES, "uncertainty", 0.0), combined(SCORES, "mean"))


def test_what_cannot_be_combined_is_said() -> None:
    with pytest.raises(InvalidChoice, match="'b' gives all RM-test responses the same score"):
        scales(np.array([[1.0, 2.0], [3.0, 3.0]]), ("a", "b"))
    with pytest.raises(InvalidChoice, match="how is 'best'; choose one of mean, worst, uncertainty"):
        combined(SCORES, "best")
    with pytest.raises(InvalidChoice, match="1 member; an ensemble takes two or more"):
        combined(SCORES[:1], "mean")
    with pytest.raises(InvalidChoice, match=r"weight is -1.0; it has to be 0 or more"):
        combined(SCORES, "uncertainty", -1.0)
