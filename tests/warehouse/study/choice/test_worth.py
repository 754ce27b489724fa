"""What a reward model is worth, prompt by prompt, against plain computations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.cube import ScoreCube, score_cube
from warehouse.metrics.policies.best_of_n import best_of_n_values
from warehouse.study import evaluate, prepare
from warehouse.study.choice.worth import (
    LONGEST,
    Sides,
    best_of_n,
    is_right_or_wrong,
    of_length,
    of_measure,
    of_policies,
    sides_of,
    spread_within,
    truth_for,
)


def cube(M: int = 4, P: int = 30, N: int = 6, seed: int = 0) -> ScoreCube:
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((1, P, N))
    return score_cube(truth + (0.3 + np.arange(M))[:, None, None] * rng.standard_normal((M, P, N)))


def ragged(whole: ScoreCube, counts_P: np.ndarray) -> ScoreCube:
    inside = np.arange(whole.scores_MPR.shape[2]) < counts_P[:, None]
    return replace(whole, scores_MPR=np.where(inside, whole.scores_MPR, 0.0).astype(np.float32), responses_P=counts_P)


def test_worth_is_the_golden_gain_of_best_of_n_in_standard_deviations_within_prompts() -> None:
    scores = cube()
    worth = of_policies(best_of_n(scores, 3), Sides([0], [1, 2, 3]), spread_within(scores))
    golden_PN = scores.scores_MPR[0].astype(np.float64)
    gain_MQ = best_of_n_values(scores.scores_MPR, [3])[0, 0] - golden_PN.mean(axis=1)
    spread = np.sqrt(golden_PN.var(axis=1, ddof=1).mean())
    assert worth.unit == "sd"
    assert worth.candidates == ("rm-1", "rm-2", "rm-3")
    assert np.allclose(worth.values_MQ, gain_MQ[1:] / spread)
    for place, reached in enumerate(worth.reached, start=1):
        assert reached is not None
        assert reached.value is not None
        assert reached.value == pytest.approx(gain_MQ[place].mean() / gain_MQ[0].mean())


def test_labels_give_the_share_of_right_picks() -> None:
    labels = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    always_first, last_two = np.array([[3.0, 2.0, 1.0]] * 3), np.array([[0.0, 1.0, 1.0]] * 3)
    scores = score_cube(np.stack([labels, always_first, last_two]), reward_models=["label", "first", "tied"])
    assert is_right_or_wrong(scores, 0)
    assert not is_right_or_wrong(scores, 1)
    worth = of_policies(best_of_n(scores, 3), Sides([0], [1, 2]), spread_within(scores), share=True)
    assert worth.unit == "share"
    assert worth.values_MQ.tolist() == [[1.0, 0.0, 1.0], [0.0, 0.5, 0.5]]


def test_prompts_with_fewer_samples_than_n_are_left_out_and_the_others_use_what_they_have() -> None:
    whole = cube(P=12)
    counts = np.array([2, 3, 4, 6] * 3)
    scores = ragged(whole, counts)
    values = best_of_n(scores, 3)
    assert values.prompts == tuple(f"prompt-{p}" for p in range(12) if counts[p] >= 3)
    for place, name in enumerate(values.prompts):
        p = int(name.removeprefix("prompt-"))
        alone = best_of_n_values(whole.scores_MPR[:, p : p + 1, : counts[p]], [3])[0, :, :, 0]
        assert np.allclose(values.optimised_MMQ[:, :, place], alone)
    with pytest.raises(InvalidChoice, match="best of 7: 0 of these prompts"):
        best_of_n(scores, 7)


def test_with_several_goldens_nobody_is_judged_by_itself_nor_by_easier_goldens() -> None:
    """Planted: worth is that of the candidate plus that of the golden, which a plain mean over the others distorts."""
    golden_effect, own = np.array([0.0, 2.0, 4.0, 9.0]), np.array([0.3, 0.2, 0.1, 0.0])
    values = best_of_n(cube(), 2)
    gain_MM = golden_effect[:, None] + own
    np.fill_diagonal(gain_MM, 99.0)
    planted = replace(
        values,
        initial_MQ=np.zeros_like(values.initial_MQ),
        optimised_MMQ=np.repeat(gain_MM[:, :, None], len(values.prompts), axis=2),
    )
    worth = of_policies(planted, Sides([0, 1, 2, 3], [0, 1, 2, 3]), np.ones(4))
    assert np.allclose(worth.values_MQ.mean(axis=1), golden_effect.mean() + own)


def test_the_mean_of_a_measures_numbers_is_the_measure() -> None:
    scores = cube(P=40)
    for measure in ("accuracy", "ece", "spearman"):
        worth = of_measure(scores, prepare(scores, measure), Sides([0], [1, 2, 3]))
        whole = evaluate(scores, best_of_n(scores, 2), measure=measure, replicates=20).value_MM[0, 1:]
        assert np.allclose(worth.values_MQ.mean(axis=1), whole)


def test_length_alone_gains_all_where_the_golden_likes_length_and_loses_all_where_it_is_shortest() -> None:
    scores = cube(P=10, N=4)
    lengths = np.random.default_rng(3).permuted(np.tile(np.arange(4), (10, 1)), axis=1)
    worth = of_length(scores, lengths, lengths.astype(np.float64), 4)
    assert worth.candidates[0] == LONGEST
    assert np.allclose(worth.values_MQ[0], 3 - 1.5)
    assert np.allclose(worth.values_MQ[1], 0 - 1.5)


def test_the_truth_for_a_candidate_is_the_mean_of_the_other_goldens_on_one_scale() -> None:
    scores = cube()
    truth = truth_for(scores, Sides([0, 1, 2], [0, 1, 2, 3]), 1)
    spread = spread_within(scores)
    assert np.allclose(truth, (scores.scores_MPR[0] / spread[0] + scores.scores_MPR[2] / spread[2]) / 2)


def test_goldens_are_those_named_else_the_golden_only_else_all() -> None:
    names, roles = ["a", "b", "c", "label"], [None, "proxy", None, "golden"]
    assert sides_of(names, [], roles) == Sides([3], [0, 1, 2])
    assert sides_of(names, ["a"], roles) == Sides([0], [1, 2])
    assert sides_of(names[:3], [], roles[:3]) == Sides([0, 2], [0, 1, 2])
    with pytest.raises(UnknownName, match="no scorer 'nobody'"):
        sides_of(names, ["nobody"], roles)


def test_two_reward_models_alone_cannot_judge_each_other() -> None:
    with pytest.raises(InvalidChoice, match="a third one or a truth"):
        sides_of(["a", "b"], [], [None, None])
    with pytest.raises(InvalidChoice, match="this run has 1"):
        sides_of(["a", "label"], [], [None, "golden"])
    assert sides_of(["a", "b", "label"], [], [None, None, "golden"]) == Sides([2], [0, 1])


def test_a_golden_that_likes_everything_alike_says_nothing() -> None:
    scores = score_cube(np.concatenate([np.ones((1, 5, 3)), cube(P=5, N=3).scores_MPR[:2]]))
    with pytest.raises(InvalidChoice, match="gives all responses to a prompt the same score"):
        of_policies(best_of_n(scores, 2), Sides([0], [1, 2]), spread_within(scores))
