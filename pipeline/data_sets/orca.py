"""Orca pairs: a system message, a question, and two responses.

- Hub id Intel/orca_dpo_pairs, `orca_rlhf.jsonl`: `system, question, chosen, rejected`.
- Hub id argilla/distilabel-intel-orca-dpo-pairs, `data/train-*.parquet`: `system, input, chosen, rejected`, judged
  again; `status` is `tie` where neither response was found better.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.data_sets.conversation import with_system
from pipeline.data_sets.pair import Candidate, Pair, Reason, Row


def orca(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    yield Pair(with_system(row.get("system"), row["question"]), row["chosen"], row["rejected"])


def orca_argilla(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    if row.get("status") == "tie":
        yield Reason.TIE
    else:
        yield Pair(with_system(row.get("system"), row["input"]), row["chosen"], row["rejected"])
