"""From the subsets of RewardBench (arXiv 2403.13787), of RewardBench 2 (arXiv 2506.01937) and of RM-Bench (arXiv
2410.16184) to categories; what fits none goes under another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_SUBSETS: Mapping[str, str] = {
    "Chat": "alpacaeval-easy alpacaeval-length alpacaeval-hard mt-bench-easy mt-bench-med chat alpacaeval",
    "Chat Hard": "mt-bench-hard llmbar-natural llmbar-adver-neighbor llmbar-adver-GPTInst llmbar-adver-GPTOut "
    "llmbar-adver-manual",
    "Safety": "refusals-dangerous refusals-offensive xstest-should-refuse xstest-should-respond donotanswer "
    "safety safety-refuse safety-response Safety",
    "Reasoning": "math-prm hep-cpp hep-go hep-java hep-js hep-python hep-rust code math Math bigcode/humanevalpack",
}

DEFAULT_CATEGORY, DEFAULT_SUBSET = "Chat", "unsorted"
"""If no file gives categories: one for all, so that nothing is compared across invented ones."""

CATEGORY_OF_SUBSET: Mapping[str, str] = {
    subset: category for category, subsets in _SUBSETS.items() for subset in subsets.split()
}
"""Category of each of RewardBench's 23 subsets, of RM-Bench's domains and subsets, and of two of RewardBench 2's."""


class PathLabels(NamedTuple):
    """What RMB's `category_path` says."""

    category: str | None
    subset: str | None


def labels_of_path(path: str | None) -> PathLabels:
    """`Pairwise_set/Helpfulness/Chat/Discussion` (RMB) is subset Chat/Discussion of category Helpfulness."""
    parts = [part for part in (path or "").split("/") if part]
    parts = parts[1:] if parts and parts[0].lower().endswith("set") else parts
    return PathLabels(parts[0] if parts else None, "/".join(parts[1:]) or None)
