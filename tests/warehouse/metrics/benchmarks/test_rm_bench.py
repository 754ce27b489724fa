"""RM-Bench's matrix and its levels: worked by hand, and held against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from warehouse.metrics.benchmarks.rm_bench import levels, matrices, rm_bench


def test_a_taste_for_style_is_right_on_easy_and_wrong_on_hard_by_hand() -> None:
    style = np.array([[[1, 2, 3]]], np.float32)  # likes the more elaborate style, whoever is right
    matrix = matrices(style, style)
    assert matrix[0].tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert [level.tolist() for level in levels(matrix)] == [[0.0], [0.0], [1.0]]


def test_all_scores_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(7)
    domains = ["chat", "math", "code", "safety"] * 10
    chosen, rejected = rng.normal(size=(2, 2, 40, 3)).astype(np.float32)
    done = rm_bench(("a", "b"), chosen, rejected, domains)
    assert done.parts == ("chat", "math", "code", "safety", "hard", "normal", "easy", "Average")
    for model in range(2):
        by_domain, by_level = [], {"hard": [], "normal": [], "easy": []}
        for domain in ("chat", "math", "code", "safety"):
            rows = [row for row in range(40) if domains[row] == domain]
            shares: dict[str, list[float]] = {"hard": [], "normal": [], "easy": []}
            for i in range(3):
                for j in range(3):
                    right = sum(chosen[model, row, i] > rejected[model, row, j] for row in rows) / len(rows)
                    shares["hard" if i < j else "normal" if i == j else "easy"].append(right)
            means = {level: sum(given) / len(given) for level, given in shares.items()}
            by_domain.append(sum(means.values()) / 3)
            for level, mean in means.items():
                by_level[level].append(mean)
        expected = [*by_domain, *(sum(given) / 4 for given in by_level.values()), sum(by_domain) / 4]
        assert done.scores_MS[model] == pytest.approx(expected)


def test_domains_without_prompts_are_said() -> None:
    ones = np.ones((1, 2, 3), np.float32)
    done = rm_bench(("a",), ones, 0 * ones, ["math", "math"])
    assert done.lacks == ("no prompts of chat", "no prompts of code", "no prompts of safety")
    assert done.scores_MS.tolist() == [[1.0] * 5]
