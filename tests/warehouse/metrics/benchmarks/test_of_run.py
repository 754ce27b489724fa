"""Which benchmarks a run is of, by its subsets, labels and numbers of responses."""

from __future__ import annotations

import numpy as np
import pytest

from warehouse.metrics.benchmarks.of_run import benchmark_scores, lacking
from warehouse.metrics.cube import ScoreCube

PROMPTS = 4


def cube(labels: list[list[float]], subsets: list[str], categories: list[str] | None = None) -> ScoreCube:
    """Two reward models and labels: `likes-first` gives the earlier response more, `likes-last` the later one."""
    R = max(map(len, labels))
    padded = np.array([row + [0.0] * (R - len(row)) for row in labels], np.float32)
    down = np.tile(np.arange(R, 0, -1, dtype=np.float32), (len(labels), 1))
    return ScoreCube(
        np.stack([padded, down, -down]),
        ("label", "likes-first", "likes-last"),
        tuple(f"p{number}#rm" for number in range(len(labels))),
        tuple(categories or ["Chat"] * len(labels)),
        tuple(subsets),
        np.array([len(row) for row in labels]),
        ("golden", None, None),
    )


def test_pairs_of_its_subsets_are_rewardbenchs_whichever_response_is_first() -> None:
    scores = benchmark_scores(cube([[1, 0], [0, 1]], ["hep-go", "donotanswer"]))
    assert [found.benchmark for found in scores] == ["RewardBench"]
    assert scores[0].parts == ("Safety", "Reasoning", "Average")
    assert scores[0].reward_models == ("likes-first", "likes-last")
    assert scores[0].scores_MS.tolist() == [[0, 1, 0.5], [1, 0, 0.5]]


def test_domains_and_more_responses_are_rewardbench_2s() -> None:
    scores = benchmark_scores(cube([[1, 0, 0, 0], [1, 0, 0]], ["precise if", "Focus"]))
    assert [found.benchmark for found in scores] == ["RewardBench 2"]
    assert scores[0].parts == ("Precise IF", "Focus", "Average")
    assert scores[0].scores_MS.tolist() == [[1, 1, 1], [0, 0, 0]]


def test_three_chosen_before_three_rejected_are_rm_benchs() -> None:
    labels = [[1.0, 1, 1, 0, 0, 0]] * 2
    scores = benchmark_scores(cube(labels, ["math", "unsorted"], ["Reasoning", "Safety"]))
    assert [found.benchmark for found in scores] == ["RM-Bench"]
    assert scores[0].parts == ("math", "safety", "hard", "normal", "easy", "Average")
    assert scores[0].scores_MS.tolist() == [[1.0] * 6, [0.0] * 6]


@pytest.mark.parametrize("subset", ["mine", "unsorted"])
def test_a_run_of_no_benchmark_says_what_it_has(subset: str) -> None:
    given = cube([[1, 0, 0], [1, 0, 0]], [subset] * 2)
    assert benchmark_scores(given) == []
    assert f"they are in {subset}" in lacking(given)
    unlabelled = given.of_reward_models(["likes-first", "likes-last"])
    assert benchmark_scores(unlabelled) == []
    assert "no labels" in lacking(unlabelled)
