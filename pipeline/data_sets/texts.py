"""Data sets whose rows are a prompt and responses to it as plain texts, one or several on each side.

- A file of one's own: `prompt, chosen, rejected` as texts, and where known `category`, `subset`, `source`.
- Orca pairs: a system message, a question and two responses. Hub id Intel/orca_dpo_pairs, `orca_rlhf.jsonl`: `system,
  question, chosen, rejected`. Hub id argilla/distilabel-intel-orca-dpo-pairs, `data/train-*.parquet`: `system, input,
  chosen, rejected`, judged again; `status` is `tie` where neither response was found better.
- PKU-SafeRLHF (arXiv 2406.15513), hub id PKU-Alignment/PKU-SafeRLHF, `data/*/train.jsonl`; its `-single-dimension`:
  `prompt, response_0, response_1, better_response_id` (helpfulness, or both in one), and `safer_response_id`
  (harmlessness) where the two are judged separately. A reward model has one score: pairs on which they disagree are
  left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.data_sets.conversation import with_system
from pipeline.data_sets.pair import Candidate, Pair, Reason, Row, WrongCell
from warehouse.exchange.categories import CATEGORY_OF_SUBSET
from warehouse.schema import CATEGORIES


def own(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair; without a category, that of a subset of RewardBench's."""
    category, subset = row.get("category") or None, row.get("subset") or None
    if category is not None and category not in CATEGORIES:
        raise WrongCell("category", category, f"one of {list(CATEGORIES)}, or nothing")
    category = category or CATEGORY_OF_SUBSET.get(subset or "")
    yield Pair(row["prompt"], row["chosen"], row["rejected"], category, subset, row.get("source") or None)


def orca(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    yield Pair(with_system(row.get("system"), row["question"]), row["chosen"], row["rejected"])


def orca_argilla(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    if row.get("status") == "tie":
        yield Reason.TIE
    else:
        yield Pair(with_system(row.get("system"), row["input"]), row["chosen"], row["rejected"])


def safe_rlhf(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair, of category Safety."""
    better = _side(row, "better_response_id")
    if row.get("safer_response_id") is not None and _side(row, "safer_response_id") != better:
        yield Reason.LABELS_DISAGREE
    else:
        yield Pair(row["prompt"], row[f"response_{better}"], row[f"response_{1 - better}"], "Safety")


def _side(row: Row, column: str) -> int:
    if row[column] not in (0, 1, "0", "1"):
        raise WrongCell(column, row[column], "0 or 1, the response that was preferred")
    return int(row[column])
