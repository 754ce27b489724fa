"""Goldens that are no reward models, and goldens that were chosen: rectangular pairs against plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.warehouse.study.simulate import cube_of, dense, values_of
from warehouse.claims.findings import harder
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.catalogue import MEASURES
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.preparation import prepare_all
from warehouse.metrics.roles import Roles
from warehouse.metrics.test_set import TestSet
from warehouse.study.curves.gain_curves import degree_map, gain_curves
from warehouse.study.curves.strength_curves import ndr_curve
from warehouse.study.curves.value_curves import ValueCurves
from warehouse.study.evaluate import Evaluation, evaluate

NOISE = np.array([0.2, 0.4, 0.7, 1.0, 1.5, 2.2])
LABEL = "label"


def labelled(seed: int = 0, P: int = 80, R: int = 4, N: int = 8) -> tuple[ScoreCube, PolicyValues]:
    """Six reward models of growing noise, and labels that are 1 for the truly better half of the responses."""
    rng = np.random.default_rng(seed)

    def scores(prompts: int, responses: int) -> np.ndarray:
        truth = rng.standard_normal((prompts, responses))
        noisy = truth + NOISE[:, None, None] * rng.standard_normal((len(NOISE), prompts, responses))
        return np.concatenate([(truth > np.median(truth, axis=1, keepdims=True))[None], noisy]).astype(np.float32)

    names = (LABEL, *(f"rm-{m}" for m in range(len(NOISE))))
    only = ("golden", *[None] * len(NOISE))
    cube = replace(cube_of(scores(P, R)), reward_models=names, only=only)
    values = replace(values_of(scores(P, N), 4), reward_models=names, only=only)
    return cube, values


def pooled_tau(evaluation: Evaluation) -> float:
    pairs = evaluation.pair_MM & evaluation.ndr_defined_MM & evaluation.value_defined_MM
    return float(stats.kendalltau(evaluation.value_MM[pairs], evaluation.ndr_MM[pairs])[0])


def test_labels_are_left_out_until_they_are_chosen_and_then_are_the_only_golden() -> None:
    cube, values = labelled()
    plain = evaluate(cube, values, replicates=80)
    assert not plain.pair_MM[0].any()
    assert not plain.pair_MM[:, 0].any()
    without = evaluate(*(part.of_reward_models(cube.reward_models[1:]) for part in (cube, values)), replicates=80)
    assert plain.correlations["kendall"].sample.value == without.correlations["kendall"].sample.value
    against = evaluate(cube.with_goldens([LABEL]), values, replicates=80)
    assert against.pair_MM.tolist() == [[False, *[True] * 6], *[[False] * 7] * 6]
    assert against.proxies == 6
    assert against.correlations["kendall"].sample.value == pytest.approx(pooled_tau(against))
    assert against.quantity == "ndr"


def test_figures_against_labels_are_those_of_plain_loops() -> None:
    cube, values = labelled()
    result = evaluate(cube.with_goldens([LABEL]), values, replicates=60)
    for m in range(1, 7):
        shares = []
        for p in range(len(cube.prompts)):
            a, b = cube.scores_MPR[0, p], cube.scores_MPR[m, p]
            ordered = [(i, j) for i in range(4) for j in range(4) if a[i] > a[j]]
            shares.append(np.mean([(b[i] > b[j]) + 0.5 * (b[i] == b[j]) for i, j in ordered]))
        assert result.value_MM[0, m] == pytest.approx(np.mean(shares))
        gain = (values.optimised_MMQ[0, m] - values.initial_MQ[0]).mean()
        own = (values.optimised_MMQ[0, 0] - values.initial_MQ[0]).mean()
        assert result.ndr_MM[0, m] == pytest.approx(gain / own)
    kendall = result.correlations["kendall"]
    assert kendall.low is not None
    assert kendall.p_value is not None
    assert kendall.p_value < 0.05


def test_every_measure_on_some_goldens_is_that_on_all_of_them() -> None:
    cube, _ = labelled(P=30)
    everything = replace(cube, only=None)
    chosen = replace(everything, goldens=("rm-1", LABEL))
    for test_set in (TestSet(), TestSet(rank_bins=2), TestSet(noise=0.1, responses=3)):
        whole = prepare_all(everything, list(MEASURES), test_set)
        some = prepare_all(chosen, list(MEASURES), test_set)
        for name in MEASURES:
            pairs = chosen.roles.pairs_MM
            for left, right in zip(dense(whole[name]), dense(some[name]), strict=True):
                np.testing.assert_allclose(left[..., pairs], right[..., pairs], atol=1e-12, err_msg=name)
            assert some[name].values_TPC.shape[2] == pairs.sum()


def test_goldens_that_are_chosen_are_fixed_and_the_proxies_are_resampled() -> None:
    cube, values = labelled()
    result = evaluate(cube.with_goldens(["rm-0", "rm-1"]), values, replicates=80)
    assert result.pair_MM.sum() == 2 * 6 - 2
    assert result.correlations["kendall"].sample.value == pytest.approx(pooled_tau(result))


def test_where_no_policy_was_optimised_against_labels_the_gain_stands_for_ndr() -> None:
    cube, values = labelled()
    spread = np.linspace(0.5, 2.0, 7)
    optimised = np.array([False, *[True] * 6])
    ppo = replace(values, optimised_M=optimised, spread_M=spread)
    result = evaluate(cube.with_goldens([LABEL]), ppo, replicates=80)
    assert result.quantity == "gain"
    gains = (values.optimised_MMQ[0, 1:] - values.initial_MQ[0]).mean(axis=1) / spread[0]
    np.testing.assert_allclose(result.ndr_MM[0, 1:], gains)
    assert (result.ndr_low_MM[0, 1:] < gains).all()
    assert (gains < result.ndr_high_MM[0, 1:]).all()
    ranks = evaluate(cube.with_goldens([LABEL]), values, replicates=80)
    assert result.correlations["kendall"].sample.value == ranks.correlations["kendall"].sample.value
    assert evaluate(cube, ppo, replicates=20).quantity == "ndr"
    with pytest.raises(InvalidChoice, match="no policy was optimised against label"):
        evaluate(cube.with_goldens([LABEL]), replace(ppo, spread_M=None), replicates=20)


def test_curves_against_labels_are_over_the_proxies() -> None:
    cube, values = labelled()
    curves = ValueCurves("bon", (4.0,), np.full((1, 7), 0.6), "bound", (values,)).with_goldens([LABEL])
    curve = ndr_curve(curves, replicates=60)
    result = evaluate(cube.with_goldens([LABEL]), values, replicates=20)
    assert curve.pairs == 6
    assert curve.ndr[0].value == pytest.approx(result.ndr_MM[0, 1:].mean())
    with pytest.raises(InvalidChoice, match="a fit takes three or more"):
        degree_map(curves, replicates=20)


def test_gains_along_strengths_are_known_where_no_policy_was_optimised_against_labels() -> None:
    _, values = labelled()
    optimised = np.array([False, *[True] * 6])
    spread = np.linspace(0.5, 2.0, 7)
    ppo = replace(values, optimised_M=optimised, spread_M=spread)
    strengths, kl_SM = (2.0, 4.0, 8.0), np.repeat([[0.2], [0.6], [1.0]], 7, axis=1)
    curves = ValueCurves("ppo", strengths, kl_SM, "k1", (ppo, ppo, ppo)).with_goldens([LABEL])
    result = gain_curves(curves, spread, replicates=60)
    gained = (values.optimised_MMQ[0, 1:] - values.initial_MQ[0]).mean() / spread[0]
    assert result.curves["golden"].gains[-1].value == pytest.approx(gained)
    assert result.curves["own"].gains[-1].value is None
    assert result.degree.value is None
    assert result.pairs == 6
    assert harder(ndr_curve(curves, replicates=60)).verdict == "undefined"


def test_roles_say_who_is_judged_by_whom() -> None:
    names = ("a", "b", "c", "d")
    only = ("golden", "proxy", None, None)
    assert Roles.chosen(names, only) == Roles((False, False, True, True), (False, True, True, True))
    assert Roles.chosen(names, only, ["a"]).same is False
    assert Roles.chosen(names, only, ["c"]).proxies == (False, True, False, True)
    assert Roles.chosen(names, ("golden", "proxy", "proxy", "proxy")).goldens == (True, False, False, False)
    with pytest.raises(UnknownName, match="no scorer 'x' to be golden; there are a, b, c, d"):
        Roles.chosen(names, only, ["x"])
    with pytest.raises(InvalidChoice, match="no reward model is left to be judged"):
        Roles.chosen(("a", "b"), ("golden", "golden"), ["a"])
    within = Roles.chosen(names, only, ["a"]).among(np.array([False, True, True, False]))
    assert within == Roles((True, False, False, False), (False, True, True, False))
