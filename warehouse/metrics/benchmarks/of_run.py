"""Which benchmarks a run's prompts are from, and the benchmarks' own scores of its reward models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.benchmarks import rewardbench, rewardbench2, rm_bench
from warehouse.metrics.benchmarks.scores import BenchmarkScores
from warehouse.metrics.cube import ScoreCube
from warehouse.schema import LABEL, SAME_PROMPT

_SIDE = 3
_SAFETY = frozenset(rewardbench.WEIGHTS["Safety"])


def benchmark_scores(cube: ScoreCube) -> list[BenchmarkScores]:
    """The scores of every benchmark of which the cube has prompts; empty without labels of the responses.

    A prompt is RewardBench's by its subset and two responses, RewardBench 2's by its domain, RM-Bench's by three
    chosen responses before three rejected ones.
    """
    if LABEL not in cube.reward_models:
        return []
    models = tuple(
        name
        for name, role in zip(cube.reward_models, cube.only or [None] * len(cube.reward_models), strict=True)
        if name != LABEL and role != "golden"
    )
    rows = [cube.reward_models.index(name) for name in models]
    scores_MPR = cube.scores_MPR[rows]
    labels_PR = np.where(cube.is_response_PR, cube.scores_MPR[cube.reward_models.index(LABEL)], np.nan)
    subsets = np.array(cube.subsets)
    results = []
    pairs = _of_rewardbench(labels_PR, subsets)
    if len(pairs):
        chosen_MP, rejected_MP = (_of_label(scores_MPR[:, pairs], labels_PR[pairs], label) for label in (1, 0))
        results.append(rewardbench.rewardbench(models, chosen_MP, rejected_MP, list(subsets[pairs])))
    domains = np.array([_domain(subset) for subset in cube.subsets])
    several = np.flatnonzero((domains != "") & _has_both(labels_PR))
    if len(set(domains[several])) > 1 and cube.counts_P[several].max() > 2:
        names = [cube.prompts[row].removesuffix(SAME_PROMPT["rm_test"]) for row in several]
        of_prompts = list(domains[several])
        results.append(rewardbench2.rewardbench2(models, scores_MPR[:, several], labels_PR[several], of_prompts, names))
    styled = _of_rm_bench(labels_PR, cube.counts_P)
    if len(styled):
        of_styles = [_style_domain(cube.subsets[row], cube.categories[row]) for row in styled]
        known = np.array([domain != "" for domain in of_styles])
        sides_MPS = (scores_MPR[:, styled[known], :_SIDE], scores_MPR[:, styled[known], _SIDE : 2 * _SIDE])
        if known.any():
            results.append(rm_bench.rm_bench(models, *sides_MPS, [domain for domain in of_styles if domain]))
    return results


def lacking(cube: ScoreCube) -> str:
    """Why no benchmark has scores."""
    if LABEL not in cube.reward_models:
        return "the run has no labels of responses (which are chosen, which are rejected)"
    subsets = sorted(set(cube.subsets))
    shown = ", ".join(subsets[:5]) + (" and others" if len(subsets) > 5 else "")
    known = "no prompts are in subsets of RewardBench or RewardBench 2, or have RM-Bench's six responses"
    return f"{known}; they are in {shown}"


def _of_label(scores_MPR: NDArray[np.float32], labels_PR: NDArray[np.float32], label: int) -> NDArray[np.float32]:
    """The scores `[M, P]` of the one response of each prompt that has this label."""
    places_P = np.argmax(labels_PR == label, axis=1)
    return np.take_along_axis(scores_MPR, places_P[None, :, None], axis=2)[:, :, 0]


def _has_both(labels_PR: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray((labels_PR == 1).any(axis=1) & (labels_PR == 0).any(axis=1))


def _of_rewardbench(labels_PR: NDArray[np.float32], subsets: NDArray[np.str_]) -> NDArray[np.int64]:
    is_pair = (np.isfinite(labels_PR).sum(axis=1) == 2) & _has_both(labels_PR)
    return np.flatnonzero(is_pair & np.isin(subsets, list(rewardbench.SUBSETS)))


def _of_rm_bench(labels_PR: NDArray[np.float32], counts_P: NDArray[np.int64]) -> NDArray[np.int64]:
    if labels_PR.shape[1] < 2 * _SIDE:
        return np.array([], dtype=np.int64)
    pattern = [1.0] * _SIDE + [0.0] * _SIDE
    return np.flatnonzero((labels_PR[:, : 2 * _SIDE] == pattern).all(axis=1) & (counts_P == 2 * _SIDE))


def _domain(subset: str) -> str:
    """RewardBench 2's domain of a subset, however it is written; empty for others."""
    names = {domain.lower().replace(" ", ""): domain for domain in rewardbench2.DOMAINS}
    return names.get(subset.lower().replace(" ", "").replace("_", "").replace("-", ""), "")


def _style_domain(subset: str, category: str) -> str:
    """RM-Bench's domain of a subset or a category; empty for others."""
    name = subset.lower()
    if "humaneval" in name or name.startswith(("hep", "code")):
        return "code"
    if "math" in name:
        return "math"
    if name.startswith(("safety", "refusals", "xstest")) or subset in _SAFETY or category == "Safety":
        return "safety"
    return "chat" if name.startswith(("chat", "alpacaeval")) or category in ("Chat", "Chat Hard") else ""
