"""Forecasts on reward models whose reactions and drifts are planted, and on some where neither says anything."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from warehouse.schema import EDITS
from warehouse.study.reactions import Drift, Reactions, forecasts
from warehouse.study.reactions.forecast import holm

P, Q = 60, 40


def planted(reaction_EM: np.ndarray, drift_EM: np.ndarray, *, seed: int, noise: float = 1.0) -> tuple[Reactions, Drift]:
    """Reward models of these true reactions and drifts, seen on P and Q prompts with noise of their own and shared."""
    rng = np.random.default_rng(seed)
    E, M = reaction_EM.shape
    names = tuple(f"rm-{m:02}" for m in range(M))

    def seen(true_EM: np.ndarray, prompts: int) -> np.ndarray:
        shared = rng.standard_normal((E, 1, prompts))
        return true_EM[..., None] + noise * (shared + rng.standard_normal((E, M, prompts)))

    prompts = tuple(f"p/{p}" for p in range(P))
    return Reactions(names, prompts, seen(reaction_EM, P)), Drift(names, seen(drift_EM, Q))


def test_what_a_policy_does_because_its_reward_model_likes_it_is_forecast() -> None:
    rng = np.random.default_rng(1)
    reaction_EM = rng.standard_normal((len(EDITS), 16))
    drift_EM = 2.0 * reaction_EM + 0.2 * rng.standard_normal(reaction_EM.shape)
    reactions, drift = planted(reaction_EM, drift_EM, seed=2)
    found = forecasts(reactions, drift)
    assert found.defined == len(EDITS)
    assert [each.edit for each in found.each] == list(EDITS)
    for each, reaction_M, drift_M in zip(found.each, reaction_EM, drift_EM, strict=True):
        truth = stats.kendalltau(reaction_M, drift_M).statistic
        assert each.kendall.low is not None
        assert each.kendall.high is not None
        assert each.kendall.low <= truth <= each.kendall.high
        assert each.spearman.value is not None
        assert each.spearman.value > 0.8
        assert each.p_value is not None
        assert each.p_value < 0.05
    assert found.mean.p_value == pytest.approx(1 / 200)
    assert found.mean.low is not None
    assert found.mean.low > 0.5


def test_the_plain_figures_are_scipy_s() -> None:
    rng = np.random.default_rng(3)
    reactions, drift = planted(rng.standard_normal((5, 9)), rng.standard_normal((5, 9)), seed=4)
    found = forecasts(reactions, drift, replicates=100)
    means = reactions.change_EMP.mean(axis=2), drift.change_EMQ.mean(axis=2)
    taus = [stats.kendalltau(x, y).statistic for x, y in zip(*means, strict=True)]
    rhos = [stats.spearmanr(x, y).statistic for x, y in zip(*means, strict=True)]
    assert [each.kendall.sample.value for each in found.each] == pytest.approx(taus)
    assert [each.spearman.sample.value for each in found.each] == pytest.approx(rhos)
    assert found.mean.sample.value == pytest.approx(np.mean(taus))


def test_where_reactions_say_nothing_few_forecasts_are_claimed() -> None:
    """40 studies: 2 with p below 0.05 are expected of the mean, and of the five corrected ones together at most 2."""
    of_mean, of_any = 0, 0
    for seed in range(40):
        rng = np.random.default_rng((5, seed))
        reactions, drift = planted(rng.standard_normal((5, 10)), rng.standard_normal((5, 10)), seed=seed)
        found = forecasts(reactions, drift, replicates=1000, seed=seed)
        of_mean += (found.mean.p_value or 1.0) < 0.05
        of_any += any((each.p_value or 1.0) < 0.05 for each in found.each)
    assert of_mean <= 6
    assert of_any <= 6


def test_only_reward_models_with_both_count_and_few_say_nothing() -> None:
    rng = np.random.default_rng(6)
    reactions, drift = planted(rng.standard_normal((5, 8)), rng.standard_normal((5, 8)), seed=7)
    some = Drift(drift.reward_models[3:][::-1], drift.change_EMQ[:, 3:][:, ::-1])
    found = forecasts(reactions, some, replicates=60)
    assert found.reward_models == drift.reward_models[3:][::-1]
    same = forecasts(reactions.of_reward_models(found.reward_models[::-1]), drift, replicates=60)
    assert [each.kendall.sample.value for each in same.each] == pytest.approx(
        [each.kendall.sample.value for each in found.each]
    )
    few = forecasts(reactions, Drift(some.reward_models[:4], some.change_EMQ[:, :4]), replicates=60)
    assert (few.mean.value, few.defined) == (None, 0)
    assert all(each.kendall.value is None and each.p_value is None for each in few.each)


def test_a_feature_that_no_policy_changes_is_left_out_of_the_mean() -> None:
    rng = np.random.default_rng(8)
    reactions, drift = planted(rng.standard_normal((5, 8)), rng.standard_normal((5, 8)), seed=9)
    drift.change_EMQ[2] = 0.0
    found = forecasts(reactions, drift, replicates=60)
    assert found.defined == 4
    assert found.each[2].kendall.value is None
    others = [each.kendall.sample.value or 0.0 for e, each in enumerate(found.each) if e != 2]
    assert found.mean.sample.value == pytest.approx(np.mean(others))


def test_p_values_are_corrected_one_after_the_other() -> None:
    assert holm([0.01, 0.04, None, 0.03, 0.5]) == [
        pytest.approx(p) if p else None for p in (0.04, 0.09, None, 0.09, 0.5)
    ]
    assert holm([0.5, 0.6]) == pytest.approx([1.0, 1.0])
    assert holm([None]) == [None]
