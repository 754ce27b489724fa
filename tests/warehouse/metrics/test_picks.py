"""`study/length_drift.py` and `worst_picks.py`, against enumeration."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from warehouse.errors import InvalidChoice
from warehouse.metrics.best_of_n import best_of_n_tokens
from warehouse.metrics.worst_picks import share_hacked, worst_picks
from warehouse.study.strength_curves import length_drift


def test_the_length_of_best_of_n_is_the_mean_over_all_draws() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((2, 3, 6))
    tokens = rng.integers(2, 40, (3, 6))
    found = best_of_n_tokens(scores, tokens, (1, 3))
    for m in range(2):
        for p in range(3):
            draws = [tokens[p, max(draw, key=lambda i: scores[m, p, i])] for draw in combinations(range(6), 3)]
            assert found[1, m, p] == pytest.approx(np.mean(draws))
            assert found[0, m, p] == pytest.approx(tokens[p].mean())
    with pytest.raises(InvalidChoice, match="agree"):
        best_of_n_tokens(scores, tokens[:2], (1,))


def test_drift_is_the_mean_over_reward_models_and_prompts_with_intervals_that_hold_it() -> None:
    rng = np.random.default_rng(1)
    tokens = 20 + 5 * np.arange(3)[:, None, None] + rng.standard_normal((3, 4, 50))
    found = length_drift(tokens, replicates=300)
    for s in range(3):
        mean = found.mean[s]
        assert mean.value == pytest.approx(tokens[s].mean())
        assert mean.low < mean.value < mean.high  # type: ignore[operator]
        assert found.of_each[s][2].value == pytest.approx(tokens[s, 2].mean())
    half = 1.96 * tokens[0, 2].std(ddof=1) / np.sqrt(50)
    assert found.of_each[0][2].high - tokens[0, 2].mean() == pytest.approx(half, rel=0.25)  # type: ignore[operator]
    with pytest.raises(InvalidChoice):
        length_drift(np.zeros((2, 3)))


def test_worst_picks_are_counted_where_both_sides_are_clear() -> None:
    rng = np.random.default_rng(2)
    scores = rng.integers(0, 4, (3, 200, 5)).astype(np.float32)
    found = worst_picks(scores)
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
    assert share.low < found.chance < share.high  # type: ignore[operator]
    assert share.value == pytest.approx(found.count_MM[0, 1] / found.prompts_MM[0, 1])


def test_a_proxy_that_turns_the_golden_round_always_picks_its_worst() -> None:
    scores = np.random.default_rng(3).standard_normal((1, 30, 4))
    found = worst_picks(np.concatenate([scores, -scores]))
    assert share_hacked(found, 0, 1).value == 1.0
    assert share_hacked(worst_picks(np.zeros((2, 4, 3))), 0, 1).value is None
