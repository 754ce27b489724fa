"""Votes between two models' conversations: MT-Bench's human judgments and Chatbot Arena (both arXiv 2306.05685).

- Hub id lmsys/mt_bench_human_judgments, `data/human-*.parquet`; hub id lmsys/chatbot_arena_conversations,
  `data/train-*.parquet`: `conversation_a, conversation_b` (messages), `winner` (`model_a`, `model_b`, or some `tie`),
  `turn`.

A judgment of turn t is about the first t exchanges. From the second on the models go on from their own earlier answers:
such conversations share no prompt, and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.data_sets.conversation import compared, messages_of
from pipeline.data_sets.pair import Candidate, Reason, Row, WrongCell


def arena(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    winner, turn = row["winner"], row["turn"]
    if str(winner).startswith("tie"):
        yield Reason.TIE
        return
    if winner not in ("model_a", "model_b"):
        raise WrongCell("winner", winner, "model_a, model_b or tie")
    if not isinstance(turn, int) or turn < 1:
        raise WrongCell("turn", turn, "a number from 1")
    a, b = (messages_of(row[column], column)[: 2 * turn] for column in ("conversation_a", "conversation_b"))
    yield compared(a, b) if winner == "model_a" else compared(b, a)
