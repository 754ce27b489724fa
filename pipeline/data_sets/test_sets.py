"""Test sets, whose subsets have categories: RewardBench, RewardBench 2 and RM-Bench.

- RewardBench (arXiv 2403.13787), hub id allenai/reward-bench, `data/filtered-*.parquet`, 2,985 rows: `prompt, chosen,
  rejected, subset`; beside them `chosen_model, rejected_model, id`. 23 subsets, each with its category.
- RewardBench 2 (arXiv 2506.01937), hub id allenai/reward-bench-2, `data/test-*.parquet`, 1,865 rows: `prompt, subset`,
  and `chosen, rejected` as lists. Math is Reasoning, Safety is Safety; its other subsets (Factuality, Precise IF,
  Focus, Ties) are no category of RewardBench's and get none.
- RM-Bench (arXiv 2410.16184), hub id THU-KEG/RM-Bench, `total_dataset.json`; also the domains' own files: `prompt`, and
  `chosen, rejected` as lists of three (terse, detailed, with Markdown). The category comes from `subset` or `domain`,
  whichever is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from pipeline.data_sets.pair import Candidate, Pair, Row, WrongCell
from warehouse.exchange.categories import CATEGORY_OF_SUBSET

REWARDBENCH_ROWS, REWARDBENCH_PROMPTS = 2985, 2733
"""Rows of RewardBench's filtered split, and its distinct prompts as the paper counts them."""

_CATEGORY_OF_SECOND = {"math": "Reasoning", "safety": "Safety"}


def rewardbench(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    subset = row["subset"]
    if subset not in CATEGORY_OF_SUBSET:
        raise WrongCell("subset", subset, "one of RewardBench's 23: get the file again, or name it `--as own`")
    yield Pair(row["prompt"], row["chosen"], row["rejected"], CATEGORY_OF_SUBSET[subset], subset)


def rewardbench_2(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """Every chosen response against every rejected one."""
    subset = row["subset"]
    category = _CATEGORY_OF_SECOND.get((subset or "").lower())
    for chosen, rejected in product(row["chosen"] or [], row["rejected"] or []):
        yield Pair(row["prompt"], chosen, rejected, category, subset)


def rm_bench(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """Every chosen response against every rejected one: nine pairs."""
    subset = row.get("subset") or row.get("domain")
    names = [str(row.get(column)) for column in ("subset", "domain")]
    category = next((CATEGORY_OF_SUBSET[name] for name in names if name in CATEGORY_OF_SUBSET), None)
    for chosen, rejected in product(row["chosen"] or [], row["rejected"] or []):
        yield Pair(row["prompt"], chosen, rejected, category, subset)
