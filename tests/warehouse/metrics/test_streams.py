"""Random choices are independent: each has its own stream of the seed, and each golden its own annotator."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tests.warehouse.study.simulate import cube_of, normal_scores, study
from warehouse.errors import InvalidChoice
from warehouse.metrics.annotation import noisy_utilities
from warehouse.metrics.test_set import chosen_prompts, with_paraphrases
from warehouse.stats.bootstrap import REWARD_MODELS, RL_PROMPTS, RM_PROMPTS, counts, generator
from warehouse.study import TestSet, evaluate

P, R = 60, 5
SEEDS = range(200)
CUBE = cube_of(normal_scores(np.random.default_rng(0), np.array([0.3, 1.0, 2.0]), P, R))
PARAPHRASED = replace(CUBE, scores_MPR=CUBE.scores_MPR + 100)


def drawn_prompts(seed: int) -> NDArray[np.bool_]:
    return np.isin(np.arange(P), chosen_prompts(CUBE, TestSet(prompts=P // 2, seed=seed)))


def paraphrased_prompts(seed: int) -> NDArray[np.bool_]:
    cube = with_paraphrases(CUBE, PARAPHRASED, 0.5, seed)
    return np.asarray((cube.scores_MPR > 50).all(axis=(0, 2)))


def noisiest_prompts(golden: int, seed: int) -> NDArray[np.bool_]:
    """Prompts on which the annotator of a golden scores the first response far too high: the upper half."""
    noise_P = (noisy_utilities(CUBE, 0.3, seed, R)[golden] - CUBE.scores_MPR[golden])[:, 0]
    return noise_P > np.median(noise_P)


def resampled_prompts(stream: int, seed: int) -> NDArray[np.bool_]:
    """Prompts that occur most often in the first bootstrap replicate, ties broken by chance: half of them."""
    drawn_P = counts(P, 1, seed, stream)[0] + 1e-3 * np.random.default_rng((99, seed, stream)).permutation(P)
    return np.asarray(drawn_P > np.median(drawn_P))


CONSTRUCTIONS = {
    "prompts": drawn_prompts,
    "paraphrase": paraphrased_prompts,
    "noise of the first golden": lambda seed: noisiest_prompts(0, seed),
    "noise of the second golden": lambda seed: noisiest_prompts(1, seed),
    "replicates of reward models": lambda seed: resampled_prompts(REWARD_MODELS, seed),
    "replicates of RM-test prompts": lambda seed: resampled_prompts(RM_PROMPTS, seed),
    "replicates of RL-test prompts": lambda seed: resampled_prompts(RL_PROMPTS, seed),
}


@pytest.mark.parametrize(("one", "other"), list(combinations(CONSTRUCTIONS, 2)))
def test_what_two_constructions_choose_overlaps_as_independent_choices_do(one: str, other: str) -> None:
    """Each chooses half of the prompts, so the overlap over many seeds is hypergeometric."""
    overlaps = [int((CONSTRUCTIONS[one](seed) & CONSTRUCTIONS[other](seed)).sum()) for seed in SEEDS]
    expected = stats.hypergeom(P, P // 2, P // 2)
    assert np.mean(overlaps) == pytest.approx(expected.mean(), abs=4.5 * expected.std() / np.sqrt(len(SEEDS)))
    assert np.std(overlaps) == pytest.approx(expected.std(), rel=0.25)


def test_adding_a_reward_model_changes_no_other_ones_noise() -> None:
    before = noisy_utilities(CUBE, 0.3, seed=5, responses=4)
    added = normal_scores(np.random.default_rng(9), np.array([1.5]), P, R)[0]
    for place in range(4):
        names = list(CUBE.reward_models)
        names.insert(place, f"a-{place}")
        scores = np.insert(CUBE.scores_MPR, place, added, axis=0)
        more = replace(CUBE, scores_MPR=scores, reward_models=tuple(names))
        np.testing.assert_array_equal(np.delete(noisy_utilities(more, 0.3, 5, 4), place, axis=0), before)


def test_noisy_figures_of_a_study_stay_when_a_reward_model_is_added() -> None:
    cube, values = study(M=4)
    names = cube.reward_models
    some = [names[0], names[1], names[3]]  # the third is the added one
    few = evaluate(
        cube.of_reward_models(some), values.of_reward_models(some), test_set=TestSet(noise=0.2), replicates=5
    )
    all_of_them = evaluate(cube, values, test_set=TestSet(noise=0.2), replicates=5)
    off = ~np.eye(3, dtype=bool)
    kept = np.ix_([0, 1, 3], [0, 1, 3])
    np.testing.assert_allclose(few.value_MM[off], all_of_them.value_MM[kept][off], atol=1e-12)


def test_two_goldens_have_different_annotators() -> None:
    alike = replace(CUBE, scores_MPR=np.repeat(CUBE.scores_MPR[:1], 2, axis=0), reward_models=("a", "b"))
    one, other = noisy_utilities(alike, 0.3, 0, R)
    assert abs(np.corrcoef((one - alike.scores_MPR[0]).ravel(), (other - alike.scores_MPR[1]).ravel())[0, 1]) < 0.2


def test_a_negative_seed_is_refused_wherever_it_comes_from() -> None:
    for choose in (
        lambda: generator(-1, 0),
        lambda: counts(5, 2, -1, 0),
        lambda: with_paraphrases(CUBE, PARAPHRASED, 0.5, -1),
    ):
        with pytest.raises(InvalidChoice, match="seed is -1"):
            choose()
