"""The reliability diagram against plain loops and the calibration error that is a measure."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tests.warehouse.study.simulate import cube_of, study, tied_scores
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.calibration import reliability
from warehouse.study import prepare


def test_the_bins_are_those_of_a_plain_loop_and_add_up_to_the_measures_calibration_error() -> None:
    rng = np.random.default_rng(2)
    cube = cube_of(tied_scores(rng, 3, 30, 5) * 2)
    found = reliability(cube, "rm-0", "rm-2", replicates=50)
    a, b = cube.scores_MPR[0].astype(float), cube.scores_MPR[2].astype(float)
    weights, confidences, rights = np.zeros(5), np.zeros(5), np.zeros(5)
    counts = np.zeros(5, dtype=int)
    ties = 0
    for p in range(30):
        ordered = [(i, j) for i, j in combinations(range(5), 2) if a[p, i] != a[p, j]]
        ties += 10 - len(ordered)
        for i, j in ordered:
            better, worse = (i, j) if a[p, i] > a[p, j] else (j, i)
            margin = b[p, better] - b[p, worse]
            confidence = 1 / (1 + np.exp(-abs(margin)))
            k = min(int((confidence - 0.5) / 0.1), 4)
            counts[k] += 1
            weights[k] += 1 / len(ordered)
            confidences[k] += confidence / len(ordered)
            rights[k] += (0.5 if margin == 0 else margin > 0) / len(ordered)
    assert found.golden_ties == ties > 0
    assert found.pairs == counts.sum()
    assert [b.pairs for b in found.bins] == [c for c in counts if c]
    for entry, k in zip(found.bins, np.flatnonzero(counts), strict=True):
        assert entry.confidence == pytest.approx(confidences[k] / weights[k])
        assert entry.right.value == pytest.approx(rights[k] / weights[k])
    values = prepare(cube, "ece")
    assert found.error.value == pytest.approx(-values.overall(np.ones((1, 30)))[0][0][values.column_MM][0, 2])


def test_a_golden_that_orders_nothing_leaves_no_bins() -> None:
    scores = np.random.default_rng(0).standard_normal((2, 6, 4))
    scores[0] = 0.0
    found = reliability(cube_of(scores), "rm-0", "rm-1")
    assert found.bins == ()
    assert found.error.value is None
    assert found.golden_ties == 36


def test_reliability_refuses_unknown_names_and_a_reward_model_against_itself() -> None:
    cube, _ = study(M=3)
    with pytest.raises(UnknownName, match="no reward model 'x'"):
        reliability(cube, "rm-0", "x")
    with pytest.raises(InvalidChoice, match="itself"):
        reliability(cube, "rm-0", "rm-0")
