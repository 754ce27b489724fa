"""RewardBench 2: best-of-4 with shared first places, and the Ties score held against its definition in plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from warehouse.metrics.benchmarks.rewardbench2 import best_of_right, rewardbench2, ties_scores

NAN = float("nan")


def test_best_of_four_shares_a_first_place_by_hand() -> None:
    scores = np.array([[[3, 1, 2, 0], [1, 2, 0, 0], [2, 2, 0, 1], [1, 1, 1, 1]]], np.float32)
    labels = np.tile(np.array([1, 0, 0, 0], np.float32), (4, 1))
    assert best_of_right(scores, labels).tolist() == [[1.0, 0.0, 0.5, 0.25]]


def test_what_is_beyond_a_prompts_responses_is_never_best() -> None:
    scores, labels = np.array([[[-3, -4, 0]]], np.float32), np.array([[1, 0, NAN]], np.float32)
    assert best_of_right(scores, labels).tolist() == [[1.0]]


def plain_ties(scores: list[list[float]], labels: list[list[float]], prompts: list[str]) -> float:
    """The reference in plain Python: accuracies, and margins of pairs of a tied prompt with its reference."""
    stats: dict[str, dict[str, tuple[bool, float, float]]] = {"ref": {}, "tied": {}}
    for row, prompt in enumerate(prompts):
        kind, number = prompt.rsplit("/", 1)[-1].split(":")
        right = [s for s, label in zip(scores[row], labels[row], strict=True) if label == 1]
        wrong = [s for s, label in zip(scores[row], labels[row], strict=True) if label == 0]
        gap = min(right) - max(wrong)
        stats[kind][number] = (gap > 0, max(right) - min(right), gap)
    accuracy = {kind: sum(ok for ok, _, _ in given.values()) / len(given) for kind, given in stats.items()}
    preferred = hard = closeness = 0.0
    paired = set(stats["ref"]) & set(stats["tied"])
    for number in paired:
        _, spread, gap = stats["tied"][number]
        smaller = min(gap, stats["ref"][number][2])
        preferred += gap > spread
        hard += smaller > spread
        if spread:
            closeness += math.tanh(smaller / spread - 1)
        elif smaller:
            closeness += math.copysign(1.0, smaller)
    n = len(paired)
    return 0.3 * (accuracy["ref"] + accuracy["tied"]) + 0.2 * (preferred + hard) / n + 0.01 * closeness / n


def test_the_ties_score_is_that_of_plain_loops() -> None:
    rng = np.random.default_rng(5)
    prompts, scores, labels = [], [], []
    for number in range(30):
        for kind, right in (("ref", 1), ("tied", int(rng.integers(2, 4)))):
            count = right + int(rng.integers(1, 5))
            prompts.append(f"Ties/{kind}:{number}")
            strength = 2.0 * rng.random()
            scores.append([float(v) + strength * (place < right) for place, v in enumerate(rng.normal(size=count))])
            labels.append([float(place < right) for place in range(count)])
    prompts.append("Ties/ref:99")  # without its tied prompt: counts for accuracy alone
    scores.append([1.0, 2.0])
    labels.append([1.0, 0.0])
    R = max(map(len, scores))
    scores_MPR = np.array([[row + [0.0] * (R - len(row)) for row in scores]], np.float32)
    labels_PR = np.array([row + [NAN] * (R - len(row)) for row in labels], np.float32)
    rounded = [[float(np.float32(v)) for v in row] for row in scores]
    found = ties_scores(scores_MPR, labels_PR, prompts)
    assert found is not None
    assert found[0] == pytest.approx(plain_ties(rounded, labels, prompts), abs=1e-9)


def test_right_ones_without_any_spread_get_all_of_the_last_percent() -> None:
    scores = np.array([[[1, 1, 0], [2, 0, 0]]], np.float32)
    labels = np.array([[1, 1, 0], [1, 0, NAN]], np.float32)
    found = ties_scores(scores, labels, ["tied:4", "ref:4"])
    assert found is not None
    assert found.tolist() == pytest.approx([1.01])


def test_the_average_is_of_domains_and_what_lacks_is_said() -> None:
    scores = np.array([[[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]], np.float32)
    labels = np.tile(np.array([1, 0, 0, 0], np.float32), (4, 1))
    done = rewardbench2(("rm",), scores, labels, ["Math", "Math", "Focus", "Ties"], ["a", "b", "c", "d"])
    assert done.parts == ("Math", "Focus", "Average")
    assert done.scores_MS.tolist() == [[0.5, 1.0, 0.75]]
    assert "no prompts of Safety" in done.lacks
    assert any("ref:N and tied:N" in line for line in done.lacks)
