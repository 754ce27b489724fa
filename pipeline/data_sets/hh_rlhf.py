"""HH-RLHF (arXiv 2204.05862), hub id Anthropic/hh-rlhf, `*/train.jsonl.gz`: `chosen, rejected` as turn-marked text.

The turns that both share are the prompt, the assistant's last turn is the response.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.data_sets.conversation import compared, turns
from pipeline.data_sets.pair import Candidate, Row


def hh_rlhf(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    yield compared(turns(row["chosen"] or ""), turns(row["rejected"] or ""))
