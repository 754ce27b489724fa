"""How well measures predict outcomes: against plain loops, and on simulated reward models whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.helpers.planted_outcomes import GOLDEN, PlantedOutcomes
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.test_set import TestSet
from warehouse.study.outcomes import CORRELATIONS, Outcome, predict, predict_all

STUDIES = 120


def accuracies(cube: ScoreCube, golden: str, name: str) -> float:
    """Accuracy over all prompts, pair by pair."""
    truth, proxy = (cube.scores_MPR[cube.reward_models.index(scorer)] for scorer in (golden, name))
    shares = []
    for own, other in zip(truth, proxy, strict=True):
        pairs = [(i, j) for i in range(len(own)) for j in range(len(own)) if own[i] > own[j]]
        shares.append(np.mean([other[i] > other[j] for i, j in pairs]))
    return float(np.mean(shares))


def test_values_and_plain_correlations_are_those_of_a_loop_over_prompts() -> None:
    cube, outcome = PlantedOutcomes(M=7, P=20).study(1)
    prediction = predict(cube, outcome)
    values = [accuracies(cube, GOLDEN, name) for name in prediction.reward_models]
    np.testing.assert_allclose(prediction.value_K, values, atol=1e-9)
    statistics = {"kendall": stats.kendalltau, "spearman": stats.spearmanr, "pearson": stats.pearsonr}
    for name in CORRELATIONS:
        sample = prediction.correlations[name].sample.value
        assert sample == pytest.approx(statistics[name](values, outcome.value_K).statistic)
        for k, without in enumerate(prediction.without[name]):
            rest = np.delete(values, k), np.delete(outcome.value_K, k)
            assert without == pytest.approx(statistics[name](*rest).statistic)
    assert (prediction.low_K < prediction.value_K).all()
    assert (prediction.value_K < prediction.high_K).all()


def test_without_a_choice_the_truth_is_each_of_the_others_in_turn() -> None:
    cube, outcome = PlantedOutcomes(M=6, P=15).study(2)
    prediction = predict(replace(cube, goldens=()), outcome)
    for value, name in zip(prediction.value_K, prediction.reward_models, strict=True):
        others = [accuracies(cube, golden, name) for golden in cube.reward_models if golden != name]
        assert value == pytest.approx(np.mean(others))


def test_leaving_out_a_reward_model_takes_it_away_as_a_golden_too_unless_goldens_are_chosen() -> None:
    cube, outcome = PlantedOutcomes(M=6, P=15).study(2)
    every = replace(cube, goldens=())
    rest = every.of_reward_models([name for name in cube.reward_models if name != "rm-03"])
    without = predict(rest, outcome).correlations["pearson"].sample.value
    assert predict(every, outcome).without["pearson"][3] == pytest.approx(without)
    chosen = predict(cube.with_goldens(["rm-03", GOLDEN]), outcome)
    of_rest = predict(rest.with_goldens([GOLDEN]), outcome).correlations["pearson"].sample.value
    assert chosen.without["pearson"][3] != pytest.approx(of_rest)


def test_a_golden_only_scorer_is_not_judged_and_a_proxy_only_one_is_no_truth() -> None:
    cube, _ = PlantedOutcomes(M=6, P=15).study(2)
    only = ("golden", "proxy", *(None,) * 5)
    names = cube.reward_models
    with_label = Outcome("elo", names, np.arange(7.0), np.zeros(7))
    prediction = predict(replace(cube, goldens=(), only=only), with_label)
    assert prediction.reward_models == names[1:]
    assert prediction.value_K[0] == pytest.approx(np.mean([accuracies(cube, g, names[1]) for g in names[2:]]))


def test_the_reward_model_that_decides_is_named() -> None:
    cube, outcome = PlantedOutcomes(M=8, P=60, strength=1.0, reliability=1.0).study(3)
    value_K = outcome.value_K.copy()
    value_K[5] = -10.0 if value_K[5] > 0 else 10.0
    outlier = Outcome("elo", outcome.reward_models, value_K, outcome.error_K)
    assert predict(cube, outlier).influential("pearson") == "rm-05"


def test_below_five_reward_models_nothing_can_be_told() -> None:
    cube, outcome = PlantedOutcomes(M=8, P=20).study(4)
    four = predict(cube, outcome.of(outcome.reward_models[:4]))
    assert all(four.correlations[name].value is None for name in CORRELATIONS)
    five = predict(cube, outcome.of(outcome.reward_models[:5]))
    assert five.correlations["kendall"].value is not None
    with pytest.raises(InvalidChoice, match="1 reward models of the run have the outcome 'elo'"):
        predict(cube, outcome.of(outcome.reward_models[:1]))


def test_a_reward_model_without_a_measure_is_no_point_and_the_rest_remains() -> None:
    cube, outcome = PlantedOutcomes(M=8, P=20).study(5)
    scores = cube.scores_MPR.copy()
    scores[1] = 3.0  # no correlation of equal scores
    constant = replace(cube, scores_MPR=scores)
    prediction = predict(constant, outcome, "pearson")
    assert np.flatnonzero(np.isnan(prediction.value_K)).tolist() == [0]
    rest = outcome.of(outcome.reward_models[1:])
    expected = predict(cube, rest, "pearson").correlations["kendall"].sample.value
    assert prediction.correlations["kendall"].sample.value == pytest.approx(expected)


def test_a_test_set_of_some_prompts_is_measured_on_those_alone() -> None:
    cube, outcome = PlantedOutcomes(M=6, P=20).study(6)
    few = predict(cube, outcome, test_set=TestSet(prompts=5, responses=3))
    assert few.prompts_used == 5
    assert not np.allclose(few.value_K, predict(cube, outcome).value_K)


def test_most_of_the_outcomes_own_error_is_taken_off() -> None:
    planted = PlantedOutcomes(M=40, P=200, strength=0.9, reliability=0.7)
    truth = planted.truth()["pearson"]
    studies = [predict(*planted.study(seed)).correlations["pearson"] for seed in range(60)]
    plain = np.mean([study.sample.value for study in studies])
    corrected = np.mean([study.value for study in studies])
    assert plain < truth - 0.1
    assert corrected == pytest.approx(truth, abs=0.06)


@pytest.mark.parametrize("M", [10, 20, 40])
def test_intervals_cover_what_is_true_of_the_true_outcome(M: int) -> None:
    """At least 93 % in the large simulation (docs/outcomes.md); here few studies, so that chance has its room."""
    planted = PlantedOutcomes(M=M, P=60, strength=0.8, reliability=0.8)
    truth = planted.truth(sets=2)
    covered = dict.fromkeys(CORRELATIONS, 0)
    for seed in range(STUDIES):
        prediction = predict(*planted.study(seed), replicates=400, seed=seed)
        for name in CORRELATIONS:
            own = prediction.correlations[name]
            covered[name] += own.low is not None and own.low <= truth[name] <= (own.high or 0.0)
    assert min(covered.values()) >= 0.9 * STUDIES


def test_measures_are_compared_on_the_same_reward_models_and_many_comparisons_are_allowed_for() -> None:
    cube, outcome = PlantedOutcomes(M=40, P=60, strength=0.95).study(7)
    scale_M = np.exp(np.random.default_rng(0).permutation(np.linspace(-3.0, 3.0, 41))).astype(np.float32)
    cube = replace(cube, scores_MPR=scale_M[:, None, None] * cube.scores_MPR)
    names = ("accuracy", "spearman", "xi", "log_loss")
    board = predict_all(cube, outcome, names, "accuracy")
    for figure in CORRELATIONS:
        own = board.predictions["accuracy"].correlations[figure].sample.value
        for name in names[1:]:
            other = board.predictions[name].correlations[figure].sample.value
            assert other is not None
            assert board.differences[figure][name].estimate.value == pytest.approx(other - (own or 0.0))
        assert board.differences[figure]["accuracy"].estimate.value is None
    # what log-loss sees first are the scales of the scores, which say nothing about these outcomes
    assert (board.differences["kendall"]["log_loss"].p_value or 1.0) < 0.05
    alone = predict_all(cube, outcome, ("xi",), "accuracy").differences["pearson"]["xi"]
    together = board.differences["pearson"]["xi"]
    assert (together.estimate.high or 0) - (together.estimate.low or 0) > (alone.estimate.high or 0) - (
        alone.estimate.low or 0
    )


def test_an_outcome_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidChoice, match="standard errors 0 or more"):
        Outcome("elo", ("a", "b"), np.array([1.0, 2.0]), np.array([0.1, -0.1]))
    with pytest.raises(InvalidChoice, match="give one value and one error for each reward model, each once"):
        Outcome("elo", ("a", "a"), np.array([1.0, 2.0]), np.zeros(2))
