"""The front door: figures by hand, undefined pairs counted, choices checked, re-weighting exact."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from tests.warehouse.measures.data import cube_of, gaussian_models, tied_scores, values_of
from tests.warehouse.measures.test_rm_error import accuracy
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.measures import CORRELATIONS, MEASURES, Evaluation, TestSet, best_of_n_values, evaluate, prepare


def study(seed: int = 0, M: int = 6, P: int = 60, R: int = 5, N: int = 16, n: int = 8):
    """Reward models of falling quality, scored on R and optimised on N other responses."""
    rng = np.random.default_rng(seed)
    scores = gaussian_models(rng, [0.95 - 0.15 * m for m in range(M - 1)], P, R + N)
    samples = scores[:, :, R:]
    return cube_of(scores[:, :, :R]), values_of(samples.mean(axis=2, dtype=float), best_of_n_values(samples, [n])[0])


def test_error_and_ndr_are_the_formulas() -> None:
    cube, values = study()
    found = evaluate(cube, values, measure="accuracy", replicates=50)
    gains = (values.optimised_MMQ - values.initial_MQ[:, None]).mean(axis=2)
    for g, m in itertools.product(range(6), range(6)):
        if g != m:
            by_hand = [
                accuracy(cube.scores_MPR[g, p].astype(float), cube.scores_MPR[m, p].astype(float)) for p in range(60)
            ]
            assert found.error_MM[g, m] == pytest.approx(np.mean(by_hand), abs=1e-9)
            assert found.ndr_MM[g, m] == pytest.approx(gains[g, m] / gains[g, g], abs=1e-9)
    off = ~np.eye(6, dtype=bool)
    x, y = found.error_MM[off], found.ndr_MM[off]
    assert found.correlations["kendall"].value == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-9)
    assert found.correlations["spearman"].value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)
    assert found.correlations["pearson"].value == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)
    within = [stats.kendalltau(found.error_MM[g][off[g]], found.ndr_MM[g][off[g]]).statistic for g in range(6)]
    assert found.within["kendall"].value == pytest.approx(np.mean(within), abs=1e-9)


def test_a_perfect_copy_has_accuracy_one_and_loses_nothing() -> None:
    scores = gaussian_models(np.random.default_rng(0), [0.5, 0.2], 40, 21)
    scores[1] = scores[0] * 2 + 1
    samples = scores[:, :, 5:]
    values = values_of(samples.mean(axis=2, dtype=float), best_of_n_values(samples, [8])[0])
    found = evaluate(cube_of(scores[:, :, :5]), values, replicates=50)
    assert found.error_MM[0, 1] == 1.0
    assert found.ndr_MM[0, 1] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_no_figure_is_ever_nan(measure: str) -> None:
    cube = cube_of(tied_scores(0, M=4))
    samples = tied_scores(1, M=4, R=8).astype(float)
    samples[2] = 0.0
    found = evaluate(
        cube, values_of(samples.mean(axis=2), best_of_n_values(samples, [4])[0]), measure=measure, replicates=100
    )
    for matrix in (found.error_MM, found.ndr_MM):
        assert np.isfinite(matrix).all()
    assert not found.ndr_defined_MM[2].any()
    assert found.undefined_pairs >= 3
    for estimate in [*found.correlations.values(), *found.within.values()]:
        if estimate.value is not None:
            assert np.isfinite([estimate.value, estimate.low, estimate.high]).all()
        assert 0 <= estimate.replicates <= 100


def test_a_golden_that_gains_nothing_leaves_its_pairs_undefined() -> None:
    cube, values = study()
    optimised = values.optimised_MMQ.copy()
    optimised[3] = values.initial_MQ[3] + np.random.default_rng(0).normal(size=optimised[3].shape)
    optimised[3] -= (optimised[3] - values.initial_MQ[3]).mean(axis=-1, keepdims=True)
    found = evaluate(cube, values_of(values.initial_MQ, optimised), replicates=200)
    assert not found.ndr_defined_MM[3].any()
    assert found.undefined_pairs == 5


def test_a_category_is_what_is_left_when_the_rest_is_removed() -> None:
    cube, values = study()
    inside = np.flatnonzero(np.array(cube.categories) == "Chat")
    sliced = evaluate(cube, values, test_set=TestSet(categories=("Chat",)), replicates=20)
    removed = evaluate(cube_of(np.repeat(cube.scores_MPR[:, inside], 1, axis=1)), values, replicates=20)
    np.testing.assert_allclose(sliced.error_MM, removed.error_MM, atol=1e-12)
    assert sliced.prompts_used == 30


def test_fewer_responses_are_the_first_ones() -> None:
    cube, values = study()
    fewer = evaluate(cube, values, test_set=TestSet(responses=3), replicates=20)
    cut = evaluate(cube_of(cube.scores_MPR[:, :, :3]), values, replicates=20)
    np.testing.assert_array_equal(fewer.error_MM, cut.error_MM)


def test_two_responses_are_the_pair_of_the_usual_benchmark() -> None:
    cube, values = study()
    two = evaluate(cube, values, test_set=TestSet(responses=2), replicates=20)
    pair = evaluate(cube, values, measure="accuracy_pair", replicates=20)
    np.testing.assert_array_equal(two.error_MM, pair.error_MM)


def test_prepared_terms_change_nothing() -> None:
    cube, values = study()
    direct = evaluate(cube, values, measure="kendall", replicates=30)
    prepared = evaluate(cube, values, replicates=30, prepared=prepare(cube, "kendall"))
    assert prepared.measure == "kendall"
    assert prepared.correlations == direct.correlations


def test_the_seed_is_all_the_chance_there_is() -> None:
    cube, values = study()
    one, again, other = (evaluate(cube, values, replicates=100, seed=seed) for seed in (1, 1, 2))
    assert one.correlations == again.correlations
    assert one.correlations["kendall"] != other.correlations["kendall"]
    assert one.correlations["kendall"].value == other.correlations["kendall"].value


def test_intervals_hold_the_figure_and_say_what_was_resampled() -> None:
    found = evaluate(*study(), replicates=300)
    assert isinstance(found, Evaluation)
    assert found.resampled == "reward models × prompts"
    for name in CORRELATIONS:
        estimate = found.correlations[name]
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.replicates <= 300


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"measure": "vibes"}, UnknownName, "there are accuracy"),
        ({"test_set": TestSet(categories=("Math",))}, UnknownName, "there are Chat, Safety"),
        ({"test_set": TestSet(subsets=("Math",))}, UnknownName, "subset 'Math'"),
        ({"test_set": TestSet(responses=1)}, InvalidChoice, "from 2 to 5"),
        ({"test_set": TestSet(responses=6)}, InvalidChoice, "responses is 6"),
        ({"test_set": TestSet(prompts=61)}, InvalidChoice, "from 2 to 60"),
        ({"test_set": TestSet(categories=("Chat",), subsets=("Safety",))}, InvalidChoice, "leaves 0 RM-test"),
        ({"rl_categories": ("Math",)}, UnknownName, "RL-test"),
        ({"replicates": 0}, InvalidChoice, "replicates is 0"),
    ],
)
def test_a_choice_that_cannot_be_met_says_what_can(options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate(*study(), **options)


@pytest.mark.slow
def test_the_interval_covers_the_population_figure_about_as_often_as_it_says() -> None:
    """Only prompts vary here, the reward models are fixed: the interval over both has to cover 90 % or more."""
    population = evaluate(*study(seed=99, P=4000), replicates=1).correlations["pearson"].value
    assert population is not None
    covered = 0
    for seed in range(60):
        estimate = evaluate(*study(seed=seed, P=60), replicates=200, seed=seed).correlations["pearson"]
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= population <= estimate.high
    assert covered / 60 >= 0.9
