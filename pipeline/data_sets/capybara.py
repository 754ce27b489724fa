"""Conversations with a chosen and a rejected last turn, as lists of messages.

- Capybara-7K-binarized, hub id argilla/distilabel-capybara-dpo-7k-binarized, `data/train-*.parquet`: `chosen, rejected`
  (messages, several turns), `rating_chosen, rating_rejected`; equal ratings are a tie.
- Any other data set of `chosen, rejected` messages, such as HuggingFaceH4/orca_dpo_pairs: `messages`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.data_sets.conversation import compared, messages_of
from pipeline.data_sets.pair import Candidate, Reason, Row


def capybara(row: Row, most: int, rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    if row["rating_chosen"] is not None and row["rating_chosen"] == row["rating_rejected"]:
        yield Reason.TIE
    else:
        yield from message_pairs(row, most, rng)


def message_pairs(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    yield compared(messages_of(row["chosen"], "chosen"), messages_of(row["rejected"], "rejected"))
