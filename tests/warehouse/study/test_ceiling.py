"""The noise ceiling against planted truth, and against what twice as many samples do to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import stats

from tests.helpers.planted import Planted, PlantedStudy, Size
from warehouse.study import evaluate

OFF = ~np.eye(10, dtype=bool)


def plain(study: PlantedStudy, seed: int = 0) -> tuple[float, float]:
    """The ceiling of Kendall τ, and the τ of true with observed NDR."""
    result = evaluate(study.cube, study.values, replicates=320, seed=seed)
    ceiling = result.correlations["kendall"].ceiling.value
    assert ceiling is not None
    return ceiling, float(stats.kendalltau(study.ndr_MM[OFF], result.ndr_MM[OFF])[0])


def test_the_ceiling_is_the_correlation_of_true_ndr_with_what_is_seen_of_it() -> None:
    planted = Planted("ppo", Size(M=10, P=60, R=4))
    ceilings, truths = np.array([plain(planted.study(seed)) for seed in range(30)]).T
    assert abs(ceilings.mean() - truths.mean()) < 3 * np.std(ceilings - truths) / np.sqrt(30) + 0.01
    assert 0.6 < truths.mean() < 0.85


def test_twice_as_many_samples_raise_the_ceiling_as_spearman_and_brown_say() -> None:
    """Reliability ρ of n prompts becomes 2ρ / (1 + ρ) of 2n; the ceiling of Pearson r is its root."""
    observed, predicted = [], []
    for seed in range(20):
        study = Planted("ppo", Size(M=10, P=120, R=4)).study(seed)
        values = study.values
        half = replace(
            values,
            initial_MQ=values.initial_MQ[:, :60],
            optimised_MMQ=values.optimised_MMQ[:, :, :60],
            prompts=values.prompts[:60],
            categories=values.categories[:60],
            subsets=values.subsets[:60],
        )
        whole_r, half_r = (
            evaluate(study.cube, each, replicates=320).correlations["pearson"].ceiling.value for each in (values, half)
        )
        assert whole_r is not None
        assert half_r is not None
        observed.append(whole_r)
        predicted.append(np.sqrt(2 * half_r**2 / (1 + half_r**2)))
    assert abs(np.mean(observed) - np.mean(predicted)) < 0.01
    assert np.mean(observed) < 0.99
