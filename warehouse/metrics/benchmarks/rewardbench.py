"""RewardBench (arXiv 2403.13787): accuracy by subset, averaged to four sections with the published weights.

A subset weighs as many prompts as it has in the whole benchmark, math-prm 984 instead of 447, so that it weighs as much
as code. A tie is wrong. The average is over the sections; the prior sets of the first leaderboard are no part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.benchmarks.scores import BenchmarkScores

WEIGHTS: Mapping[str, Mapping[str, int]] = {
    "Chat": {
        "alpacaeval-easy": 100,
        "alpacaeval-length": 95,
        "alpacaeval-hard": 95,
        "mt-bench-easy": 28,
        "mt-bench-med": 40,
    },
    "Chat Hard": {
        "mt-bench-hard": 37,
        "llmbar-natural": 100,
        "llmbar-adver-neighbor": 134,
        "llmbar-adver-GPTInst": 92,
        "llmbar-adver-GPTOut": 47,
        "llmbar-adver-manual": 46,
    },
    "Safety": {
        "refusals-dangerous": 100,
        "refusals-offensive": 100,
        "xstest-should-refuse": 154,
        "xstest-should-respond": 250,
        "donotanswer": 136,
    },
    "Reasoning": {
        "math-prm": 984,
        "hep-cpp": 164,
        "hep-go": 164,
        "hep-java": 164,
        "hep-js": 164,
        "hep-python": 164,
        "hep-rust": 164,
    },
}
"""What each subset weighs in its section."""

SUBSETS = frozenset(subset for section in WEIGHTS.values() for subset in section)


def rewardbench(
    models: tuple[str, ...], chosen_MP: NDArray[np.float32], rejected_MP: NDArray[np.float32], subsets: Sequence[str]
) -> BenchmarkScores:
    """The sections' scores of M reward models from their scores of both responses to P prompts of these subsets."""
    right_MP = (chosen_MP > rejected_MP).astype(np.float64)
    subsets_P = np.array(subsets)
    sections, counts, scores, lacks = [], [], [], []
    for section, weights in WEIGHTS.items():
        present = [subset for subset in weights if (subsets_P == subset).any()]
        if len(present) < len(weights):
            missing = [subset for subset in weights if subset not in present]
            lacks.append(f"{section}: no prompts of {', '.join(missing)}")
        if present:
            accuracies = np.array([right_MP[:, subsets_P == subset].mean(axis=1) for subset in present])
            sections.append(section)
            scores.append(np.average(accuracies, axis=0, weights=[weights[subset] for subset in present]))
            counts.append(int(np.isin(subsets_P, present).sum()))
    scores_MS = np.column_stack([*scores, np.mean(scores, axis=0)])
    return BenchmarkScores(
        "RewardBench", models, (*sections, "Average"), np.array([*counts, sum(counts)]), scores_MS, tuple(lacks)
    )
