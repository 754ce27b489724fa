"""RM-Bench (arXiv 2410.16184), hub id THU-KEG/RM-Bench, `total_dataset.json`; also the domains' own files.

`prompt`, and `chosen, rejected` as lists of three (terse, detailed, with Markdown): every chosen response against every
rejected one, nine pairs a row. The category comes from `subset` or `domain`, whichever is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from pipeline.data_sets.pair import Candidate, Pair, Row
from warehouse.outside.categories import CATEGORY_OF_SUBSET


def rm_bench(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """Nine pairs."""
    subset = row.get("subset") or row.get("domain")
    names = [str(row.get(column)) for column in ("subset", "domain")]
    category = next((CATEGORY_OF_SUBSET[name] for name in names if name in CATEGORY_OF_SUBSET), None)
    for chosen, rejected in product(row["chosen"] or [], row["rejected"] or []):
        yield Pair(row["prompt"], chosen, rejected, category, subset)
