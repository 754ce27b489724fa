"""RewardBench's sections: worked by hand, and held against a plain loop over its subsets."""

from __future__ import annotations

import numpy as np
import pytest

from warehouse.metrics.benchmarks.rewardbench import SUBSETS, WEIGHTS, rewardbench


def test_the_benchmark_has_23_subsets_and_its_published_sizes() -> None:
    assert len(SUBSETS) == 23
    sizes = {section: sum(weights.values()) for section, weights in WEIGHTS.items()}
    assert sizes == {"Chat": 358, "Chat Hard": 456, "Safety": 740, "Reasoning": 984 + 6 * 164}
    assert sum(sizes.values()) - 984 + 447 == 2985  # prompts of the whole benchmark


def test_reasoning_by_hand_weighs_math_as_much_as_all_code() -> None:
    subsets = ["math-prm", "math-prm", "hep-go", "hep-cpp"]
    chosen, rejected = np.array([[1, 1, 0, 1]], np.float32), np.array([[0, 2, 1, 0]], np.float32)
    scores = rewardbench(("rm",), chosen, rejected, subsets)
    right = (984 * 0.5 + 164 * 0.0 + 164 * 1.0) / (984 + 164 + 164)
    assert scores.parts == ("Reasoning", "Average")
    assert scores.scores_MS[0] == pytest.approx([right, right])
    assert any("hep-java" in line for line in scores.lacks)


def test_a_tie_is_wrong() -> None:
    same = np.ones((1, 2), np.float32)
    assert rewardbench(("rm",), same, same, ["donotanswer", "hep-go"]).scores_MS.tolist() == [[0.0, 0.0, 0.0]]


def test_all_sections_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(3)
    names = sorted(SUBSETS)
    subsets = [names[place % len(names)] for place in range(200)]
    chosen, rejected = rng.normal(size=(2, 3, 200)).astype(np.float32)
    scores = rewardbench(("a", "b", "c"), chosen, rejected, subsets)
    assert scores.lacks == ()
    for model in range(3):
        sections = []
        for weights in WEIGHTS.values():
            total = weight_sum = 0.0
            for subset, weight in weights.items():
                right = [chosen[model, p] > rejected[model, p] for p in range(200) if subsets[p] == subset]
                total += weight * sum(right) / len(right)
                weight_sum += weight
            sections.append(total / weight_sum)
        assert scores.scores_MS[model] == pytest.approx([*sections, sum(sections) / 4])
    assert scores.prompts_S[-1] == 200
