"""Prompts on which a proxy picks the golden's worst, against enumeration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from warehouse.metrics.cube import score_cube
from warehouse.metrics.policies.worst_picks import share_hacked, worst_picks


def test_worst_picks_are_counted_where_both_sides_are_clear() -> None:
    rng = np.random.default_rng(2)
    scores = rng.integers(0, 4, (3, 200, 5)).astype(np.float32)
    found = worst_picks(score_cube(scores))
    for g in range(3):
        for m in range(3):
            asked = hacked = 0
            for p in range(200):
                a, b = scores[g, p], scores[m, p]
                if (a == a.min()).sum() == 1 and (b == b.max()).sum() == 1:
                    asked += 1
                    hacked += int(a.argmin() == b.argmax() and g != m)
            assert found.prompts_MM[g, m] == asked
            assert found.count_MM[g, m] == hacked
    share = share_hacked(found, 0, 1)
    assert share.low < found.chance_MM[0, 1] < share.high  # type: ignore[operator]
    assert share.value == pytest.approx(found.count_MM[0, 1] / found.prompts_MM[0, 1])


def test_chance_is_that_of_the_prompts_that_count() -> None:
    rng = np.random.default_rng(0)
    counts = np.array([2, 4] * 40)
    scores = rng.standard_normal((2, 80, 4)).astype(np.float32)
    scores[0] = scores[0] == np.where(np.arange(4) < counts[:, None], scores[0], -9).max(axis=1, keepdims=True)
    picks = worst_picks(replace(score_cube(scores), responses_P=counts))
    assert picks.prompts_MM.tolist() == [[40, 40], [80, 80]]  # of four labels three are the worst
    assert picks.chance_MM.tolist() == [[0.5, 0.5], [pytest.approx(0.375)] * 2]


def test_a_proxy_that_turns_the_golden_round_always_picks_its_worst() -> None:
    scores = np.random.default_rng(3).standard_normal((1, 30, 4))
    found = worst_picks(score_cube(np.concatenate([scores, -scores])))
    assert share_hacked(found, 0, 1).value == 1.0
    assert share_hacked(worst_picks(score_cube(np.zeros((2, 4, 3)))), 0, 1).value is None
