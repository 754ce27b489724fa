"""Values in bootstrap replicates are those of their counts, and are cached."""

from __future__ import annotations

import numpy as np

from tests.warehouse.study.simulate import study
from warehouse.stats import bootstrap
from warehouse.study import prepare


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
