"""`metrics/reliability.py`, `agreement.py` and `proportion.py`, against the measures and plain loops."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from tests.warehouse.study.simulate import cube_of, study, tied_scores
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.calibration import reliability
from warehouse.metrics.model_scores import agreement
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import wilson_interval
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


def test_agreement_is_accuracy_and_a_half_among_unrelated_reward_models() -> None:
    rng = np.random.default_rng(4)
    scores = rng.standard_normal((3, 200, 4))
    scores[1] = 3 * scores[0] + 1
    found = agreement(prepare(cube_of(scores), "accuracy"), replicates=200)
    assert found.share_MM[0, 1] == found.share_MM[1, 0] == 1.0
    assert found.low_MM[0, 2] < 0.5 < found.high_MM[0, 2]
    assert np.flatnonzero(~found.defined_MM.ravel()).tolist() == [0, 4, 8]
    some = np.arange(50)
    part = agreement(prepare(cube_of(scores), "accuracy"), some, replicates=20)
    again = agreement(prepare(cube_of(scores).of_prompts(some), "accuracy"), replicates=20)
    assert part.share_MM == pytest.approx(again.share_MM)


def test_replicates_in_which_agreement_is_undefined_do_not_count() -> None:
    """The golden orders responses to one prompt of six, so a third of the replicates have none of it."""
    scores = np.random.default_rng(3).standard_normal((2, 6, 4))
    scores[0, 1:] = 0.0
    scores[1, 0] = scores[0, 0]
    found = agreement(prepare(cube_of(scores), "accuracy"), replicates=300)
    assert (found.share_MM[0, 1], found.low_MM[0, 1], found.high_MM[0, 1]) == (1.0, 1.0, 1.0)
    lone = agreement(prepare(cube_of(scores), "accuracy"), replicates=1, seed=_seed_without_the_first_of(6))
    assert not lone.defined_MM[0, 1]


def _seed_without_the_first_of(prompts: int) -> int:
    return next(seed for seed in range(99) if bootstrap.counts(prompts, 1, seed, bootstrap.RM_PROMPTS)[0, 0] == 0)


def test_wilsons_interval_is_scipys() -> None:
    for right, trials in ((0, 7), (33, 40), (160, 160)):
        expected = stats.binomtest(right, trials).proportion_ci(method="wilson")
        assert wilson_interval(right, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)
    for right, trials in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(InvalidChoice):
            wilson_interval(right, trials)
