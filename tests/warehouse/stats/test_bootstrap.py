"""Means over prompts and Wilson's interval, against the normal interval and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from warehouse.errors import InvalidChoice
from warehouse.stats.bootstrap import prompt_means, wilson_interval


def test_the_interval_of_a_mean_is_the_normal_one_for_many_prompts_and_undefined_ones_do_not_weigh() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(2.0, 1.0, (400, 1))
    defined = np.ones((400, 1), dtype=bool)
    defined[:100] = False
    values[:100] = 1e6
    (estimate,) = prompt_means(values, defined, replicates=4000)
    kept = values[100:, 0]
    assert estimate.value == pytest.approx(kept.mean())
    half = 1.96 * kept.std(ddof=1) / np.sqrt(300)
    assert estimate.low == pytest.approx(kept.mean() - half, abs=0.02)
    assert estimate.high == pytest.approx(kept.mean() + half, abs=0.02)


def test_wilsons_interval_is_scipys() -> None:
    for right, trials in ((0, 7), (33, 40), (160, 160)):
        expected = stats.binomtest(right, trials).proportion_ci(method="wilson")
        assert wilson_interval(right, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)
    for right, trials in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(InvalidChoice):
            wilson_interval(right, trials)
