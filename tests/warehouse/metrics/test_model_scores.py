"""Spread, length correlation and agreement of reward models, against SciPy and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.warehouse.study.simulate import cube_of, study, tied_scores
from warehouse.errors import InvalidChoice
from warehouse.metrics.model_scores import agreement, length_correlations, reward_variances, score_shares
from warehouse.stats import bootstrap
from warehouse.study import prepare


def test_reward_variance_is_the_measure_of_that_name() -> None:
    cube, _ = study(M=4)
    values = prepare(cube, "reward_variance")
    expected = values.overall(np.ones((1, len(cube.prompts))))[0][0][values.column_MM]
    found = reward_variances(cube, replicates=50)
    for m, estimate in enumerate(found.estimates):
        assert estimate.value == pytest.approx(expected[(m + 1) % 4, m])
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < estimate.value < estimate.high
    assert found.undefined == (0, 0, 0, 0)


def test_length_correlation_is_the_mean_of_scipys_spearman_over_prompts_with_a_spread() -> None:
    rng = np.random.default_rng(3)
    cube = cube_of(tied_scores(rng, 3, 40, 6))
    tokens = rng.integers(2, 9, (40, 6))
    tokens[5] = 4
    found = length_correlations(cube, tokens, replicates=20)
    for m in range(3):
        scores = cube.scores_MPR[m]
        there = [p for p in range(40) if np.ptp(tokens[p]) > 0 and np.ptp(scores[p]) > 0]
        expected = np.mean([stats.spearmanr(tokens[p], scores[p]).statistic for p in there])
        assert found.estimates[m].value == pytest.approx(expected)
        assert found.undefined[m] == 40 - len(there) >= 1


def test_scores_that_are_all_alike_have_no_variance_and_no_length_correlation() -> None:
    cube = cube_of(np.zeros((2, 5, 4)))
    for found in (reward_variances(cube), length_correlations(cube, np.arange(20).reshape(5, 4))):
        assert all(estimate.value is None for estimate in found.estimates)
        assert found.undefined == (5, 5)
    shares, edges = score_shares(cube, bins=4)
    assert shares.sum(axis=1).tolist() == [1.0, 1.0]
    assert (shares[:, 2] == 1.0).all()
    assert edges[2] == 0.0


def test_shares_count_every_response_whatever_the_scale_of_its_reward_model() -> None:
    cube, _ = study(M=3)
    shares, edges = score_shares(cube, bins=12)
    standard = stats.zscore(cube.scores_MPR.reshape(3, -1).astype(float), axis=1)
    assert shares.sum(axis=1) == pytest.approx(np.ones(3))
    assert shares[1, 0] == pytest.approx((standard[1] < edges[1]).mean())
    assert shares[1, 7] == pytest.approx(((standard[1] >= edges[7]) & (standard[1] < edges[8])).mean())
    stretched = cube_of(cube.scores_MPR.astype(np.float64) * 1000 + 7)
    assert score_shares(stretched, bins=12)[0] == pytest.approx(shares)


def test_lengths_of_other_responses_are_refused() -> None:
    cube, _ = study(M=3)
    with pytest.raises(InvalidChoice, match="have to agree"):
        length_correlations(cube, np.ones((3, 5), dtype=int))


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
