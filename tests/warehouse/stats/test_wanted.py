"""Correlations that are not wanted are not computed, and those that are come out the same."""

from __future__ import annotations

import numpy as np
import pytest

from tests.warehouse.study.simulate import study
from warehouse.stats import bootstrap
from warehouse.stats.across_pairs import EVERY
from warehouse.study import TestSet, prepare
from warehouse.study.comparison import compare_all


@pytest.mark.parametrize(("name", "level"), EVERY)
def test_one_wanted_correlation_is_the_same_as_among_all(name: str, level: str) -> None:
    cube, values = study(P=24, Q=24)
    measures = ("accuracy", "spearman")
    choice = {"measures": measures, "test_sets": (TestSet(),), "replicates": 60}
    (every,) = compare_all(cube, values, "accuracy_pair", **choice)  # type: ignore[arg-type]
    (one,) = compare_all(cube, values, "accuracy_pair", selected=((name, level),), **choice)  # type: ignore[arg-type]
    for measure in measures:
        whole, part = every[measure], one[measure]
        for of_whole, of_part in ((whole, part), (whole.first, part.first)):
            there, other = (of_part.correlations, of_part.within)[:: 1 if level == "pooled" else -1]
            full = of_whole.correlations if level == "pooled" else of_whole.within
            assert dict(there) == {name: full[name]}
            assert dict(other) == {}


def test_errors_in_replicates_are_kept_and_are_those_of_their_counts() -> None:
    cube, _ = study(P=24, Q=24)
    values, prompts = prepare(cube, "accuracy"), np.arange(4, 20)
    errors, defined = values.drawn_overall(prompts, 50, 3)
    again, _ = values.drawn_overall(prompts, 50, 3)
    assert again is errors
    wanted, there = values.overall(bootstrap.counts(16, 50, 3, bootstrap.RM_PROMPTS), prompts)
    np.testing.assert_array_equal(errors, wanted)
    np.testing.assert_array_equal(defined, there)
    other, _ = values.drawn_overall(np.arange(5, 21), 50, 3)
    assert not np.array_equal(other, errors)
