"""A file of one's own: `prompt, chosen, rejected` as texts, and where known `category`, `subset`, `source`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.data_sets.pair import Candidate, Pair, Row, WrongCell
from warehouse.outside.categories import CATEGORY_OF_SUBSET
from warehouse.schema import CATEGORIES


def own(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair; without a category, that of a subset of RewardBench's."""
    category, subset = row.get("category") or None, row.get("subset") or None
    if category is not None and category not in CATEGORIES:
        raise WrongCell("category", category, f"one of {list(CATEGORIES)}, or nothing")
    category = category or CATEGORY_OF_SUBSET.get(subset or "")
    yield Pair(row["prompt"], row["chosen"], row["rejected"], category, subset, row.get("source") or None)
