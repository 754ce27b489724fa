"""`claims/expected_quality.py`: accuracy against values of policies, where one or the other is measured well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.helpers.planted import Planted, Size
from tests.warehouse.claims.studies import of_noise, policy_values, study, verdicts
from warehouse.claims.claim import KENDALL, Optimised, Study
from warehouse.claims.expected_quality import better_than_values, independent_difference
from warehouse.metrics.test_set import TestSet
from warehouse.stats.bootstrap import NOTHING
from warehouse.study import Estimate
from warehouse.study.curves.value_curves import ValueCurves
from warehouse.study.evaluate import replicated

GROWING = np.linspace(0.2, 3.0, 40)


def valued_by_few(seed: int) -> Study:
    """Accuracy from 1,500 prompts, policies whose values are mostly noise."""
    whole = of_noise(GROWING, P=1500, Q=100, seed=seed)
    values, rng = whole.values, np.random.default_rng((3, seed))
    noise = 0.8 * rng.standard_normal(values.optimised_MMQ.shape)
    noisy = policy_values(values.initial_MQ, values.optimised_MMQ + noise)
    return study(replace(whole, curves=replace(whole.curves, values=(*whole.curves.values[:-1], noisy))))


def test_accuracy_of_many_prompts_is_better_than_values_that_are_mostly_noise() -> None:
    claims = [better_than_values(valued_by_few(seed)) for seed in range(5)]
    assert [verdicts(claim) for claim in claims].count(["holds"]) >= 2
    assert all((claim.findings[0].estimate.value or 0) > 0.05 for claim in claims)


def test_values_of_many_prompts_are_better_than_accuracy_of_few() -> None:
    few: list[Optimised] = [of_noise(np.linspace(0.8, 1.2, 14), P=40, R=2, Q=1500, seed=seed) for seed in range(4)]
    claims = [better_than_values(study(policies)) for policies in few]
    assert all((claim.findings[0].estimate.value or 0) < 0 for claim in claims)
    assert [verdicts(claim) for claim in claims].count(["refuted"]) >= 2
    assert verdicts(better_than_values(study(of_noise([0.3, 1.0])))) == ["undefined"]


def test_the_difference_is_the_true_one_where_it_is_computed() -> None:
    """PPO-like policies: accuracy and the run's values are both correlated with the NDR that policies really have."""
    planted = Planted("ppo", Size(M=14, P=128))
    pairs = ~np.eye(14, dtype=bool)
    estimates, truths = [], []
    for seed in range(12):
        drawn = planted.study(seed)
        (part,) = replicated(drawn.cube, drawn.values, [("accuracy", TestSet())], replicates=400, selected=KENDALL)
        kendall, evaluation = part.evaluation.correlations["kendall"], part.evaluation
        estimates.append(independent_difference(kendall, kendall.ceiling))
        of_accuracy, of_values = (
            stats.kendalltau(values_MM[pairs], drawn.ndr_MM[pairs])[0]
            for values_MM in (evaluation.value_MM, evaluation.ndr_MM)
        )
        truths.append(of_accuracy - of_values)
    truth = float(np.mean(truths))
    assert truth < -0.2
    assert np.mean([estimate.value or 0.0 for estimate in estimates]) == pytest.approx(truth, abs=0.08)
    assert sum((estimate.low or 0.0) <= truth <= (estimate.high or 0.0) for estimate in estimates) >= 10


@pytest.mark.parametrize("repeats", [1, 2])
def test_how_much_of_the_variance_of_ndr_is_training_noise_is_a_table_where_it_is_known(repeats: int) -> None:
    """The seed adds more than half as much to NDR as reward models differ in it, halved by two repeats."""
    drawn = Planted("ppo", Size(M=14, P=128, repeats=repeats, seed_spread=1.0)).study(1)
    curves = ValueCurves("ppo", (8.0,), np.ones((1, 14)), "k3", (drawn.values,))
    policies = Optimised(curves, drawn.cube, paraphrased=None, spread_M=np.ones(14))
    claims = better_than_values(Study({"ppo": policies}, {}, replicates=200))
    table = claims.tables[1]
    assert table.header == ("policies", "seeds", "training noise", "noise of the RL-test prompts")
    ((called, seeds, training, prompts),) = table.rows
    assert (called, seeds) == ("PPO at step 8", f"{repeats}")
    if repeats == 1:
        assert training == "unknown: counts as regret"
    else:
        assert isinstance(training, float)
        assert 0.2 < training < 0.7
    assert isinstance(prompts, float)
    assert 0.0 < prompts < 0.3


def test_the_interval_of_a_difference_joins_both() -> None:
    joined = independent_difference(Estimate(0.5, 0.2, 0.9, 50), Estimate(0.4, 0.0, 0.7, 60))
    assert joined.value == pytest.approx(0.1)
    assert joined.low == pytest.approx(0.1 - np.hypot(0.3, 0.3))
    assert joined.high == pytest.approx(0.1 + np.hypot(0.4, 0.4))
    assert joined.replicates == 50
    assert independent_difference(NOTHING, joined) == NOTHING
