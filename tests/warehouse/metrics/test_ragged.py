"""Prompts with different numbers of responses: each is measured as it would be in a cube of prompts like it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.warehouse.study.simulate import cube_of, dense, normal_scores
from warehouse.errors import InvalidChoice
from warehouse.metrics.annotation import noisy_utilities
from warehouse.metrics.calibration import reliability
from warehouse.metrics.catalogue import MEASURES
from warehouse.metrics.cube import ScoreCube, spread_within_prompts
from warehouse.metrics.model_scores import length_correlations, reward_variances, score_shares
from warehouse.metrics.policies.worst_picks import worst_picks
from warehouse.metrics.preparation import prepare, prepare_all
from warehouse.metrics.test_set import TestSet, chosen_prompts, with_paraphrases, with_responses

COUNTS = np.array([2, 5, 3, 5, 2, 4, 3, 1, 5, 4, 2, 3])
OF_ALL_PROMPTS = "reward_variance"
"""The measure that is scaled by all responses, so that a prompt by itself has another value."""


def ragged(seed: int = 0, counts: np.ndarray = COUNTS, padding: float = 0.0, decimals: int = 1) -> ScoreCube:
    """Scores of four reward models, with ties, for as many responses as counted; padding is beyond."""
    rng = np.random.default_rng(seed)
    scores = np.round(normal_scores(rng, np.linspace(0.3, 2.0, 4), len(counts), int(counts.max())), decimals)
    scores[:, np.arange(counts.max()) >= counts[:, None]] = padding
    return replace(cube_of(scores), responses_P=counts)


def alone(cube: ScoreCube, p: int) -> ScoreCube:
    """One prompt, twice, without what it does not have."""
    part = cube.of_prompts(np.array([p, p]))
    return replace(part, scores_MPR=part.scores_MPR[:, :, : cube.counts_P[p]], responses_P=None)


@pytest.mark.parametrize("test_set", [TestSet(), TestSet(responses=3), TestSet(rank_bins=2)], ids=str)
def test_every_measure_of_a_prompt_is_that_of_the_prompt_alone(test_set: TestSet) -> None:
    cube = ragged()
    measured = prepare_all(cube, list(MEASURES), test_set)
    for name in MEASURES:
        values, defined = dense(measured[name])
        for p in np.flatnonzero(COUNTS >= 2):
            if test_set.rank_bins and name == "accuracy_pair":
                continue  # the first pair across bins is the first one either way, but of other prompts' bins
            own_set = replace(test_set, responses=min(COUNTS[p], test_set.responses or 5))
            own_values, own_defined = dense(prepare(alone(cube, p), name, own_set))
            np.testing.assert_array_equal(defined[p], own_defined[0])
            if name != OF_ALL_PROMPTS:
                np.testing.assert_allclose(values[:, p], own_values[:, 0], atol=1e-12, err_msg=name)
        assert not defined[COUNTS < 2].any()


def test_what_is_beyond_a_prompts_responses_never_matters() -> None:
    cube, other = ragged(), ragged(padding=1e6)
    for test_set in (TestSet(), TestSet(noise=0.2), TestSet(responses=4, rank_bins=2)):
        for name in MEASURES:
            first, second = prepare(cube, name, test_set), prepare(other, name, test_set)
            np.testing.assert_array_equal(first.values_TPC, second.values_TPC)
            np.testing.assert_array_equal(first.undefined_UC, second.undefined_UC)
    tokens = np.random.default_rng(1).integers(1, 90, cube.scores_MPR.shape[1:])
    for figures in (
        lambda scored: reward_variances(scored, replicates=20).estimates,
        lambda scored: length_correlations(scored, tokens, replicates=20).estimates,
        lambda scored: score_shares(scored)[0].tolist(),
        lambda scored: reliability(scored, "rm-0", "rm-1", replicates=20),
        lambda scored: spread_within_prompts(scored).tolist(),
        lambda scored: worst_picks(scored).count_MM.tolist(),
    ):
        assert figures(cube) == figures(other)


def test_noise_flips_the_asked_share_of_the_pairs_that_there_are() -> None:
    counts = np.random.default_rng(0).integers(1, 7, 400)
    cube = ragged(counts=counts, decimals=9)  # equal scores are labelled again: tests of annotation
    noisy = noisy_utilities(cube, 0.25, 0, 5)
    for golden_PR, noisy_PR in zip(cube.scores_MPR.astype(np.float64), noisy, strict=True):
        pairs = [(p, i, j) for p in range(400) for i in range(min(counts[p], 5)) for j in range(i)]
        before = np.array([np.sign(golden_PR[p, i] - golden_PR[p, j]) for p, i, j in pairs])
        after = np.array([np.sign(noisy_PR[p, i] - noisy_PR[p, j]) for p, i, j in pairs])
        ordered = before != 0
        assert (before[ordered] != after[ordered]).sum() == round(0.25 * ordered.sum())


def test_the_spread_within_prompts_is_the_mean_of_the_prompts_variances() -> None:
    cube = ragged()
    variances = [cube.scores_MPR[:, p, : COUNTS[p]].var(axis=1, ddof=1) for p in np.flatnonzero(COUNTS >= 2)]
    np.testing.assert_allclose(spread_within_prompts(cube), np.sqrt(np.mean(variances, axis=0)), rtol=1e-6)


def test_a_number_of_responses_keeps_shorter_prompts_or_leaves_them_out() -> None:
    cube = ragged()
    assert chosen_prompts(cube, TestSet()).tolist() == np.flatnonzero(COUNTS >= 2).tolist()
    assert chosen_prompts(cube, TestSet(responses=4)).tolist() == np.flatnonzero(COUNTS >= 2).tolist()
    assert chosen_prompts(cube, TestSet(responses=4, whole=True)).tolist() == np.flatnonzero(COUNTS >= 4).tolist()
    few = ragged(counts=np.array([2, 2, 5, 3]))
    with pytest.raises(InvalidChoice, match="1 of the chosen prompts have 5 responses"):
        chosen_prompts(few, TestSet(responses=5, whole=True))


def test_a_budget_is_spent_on_the_responses_that_there_are() -> None:
    cube = ragged()
    for responses, budget in ((2, 22), (3, 20), (5, 30)):
        chosen = chosen_prompts(cube, TestSet(responses=responses, budget=budget))
        spent = np.minimum(COUNTS[chosen], responses).sum()
        assert budget - responses < spent <= budget
    assert len(chosen_prompts(cube, TestSet(responses=2, budget=22))) == 11


def test_sources_and_paraphrases_of_ragged_prompts_go_together_response_by_response() -> None:
    first, second = ragged(0), ragged(1, COUNTS[::-1].copy())
    both = with_responses([first, second])
    assert both.counts_P.tolist() == (COUNTS + COUNTS[::-1]).tolist()
    for p in range(len(COUNTS)):
        a, b = (cube.scores_MPR[0, p, : cube.counts_P[p]] for cube in (first, second))
        turn = [value for pair in zip(a, b, strict=False) for value in pair]
        rest = a[len(b) :] if len(a) > len(b) else b[len(a) :]
        assert both.scores_MPR[0, p, : both.counts_P[p]].tolist() == [*turn, *rest.tolist()]
    replaced = with_paraphrases(first, second, 1.0)
    assert replaced.counts_P.tolist() == COUNTS[::-1].tolist()
    np.testing.assert_array_equal(replaced.scores_MPR, second.scores_MPR)


def test_a_dense_part_has_as_many_responses_as_half_of_the_prompts() -> None:
    part = ragged().dense()
    assert part.responses_P is None
    assert part.scores_MPR.shape == (4, int((COUNTS >= 3).sum()), 3)
