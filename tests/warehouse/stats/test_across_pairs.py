"""Correlations that are not selected are not computed, and those that are come out the same."""

from __future__ import annotations

import pytest

from tests.warehouse.study.simulate import study
from warehouse.stats.across_pairs import EVERY
from warehouse.study import TestSet
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
