"""Data sets that compare two conversations which share everything but their last turn.

- HH-RLHF (arXiv 2204.05862), hub id Anthropic/hh-rlhf, `*/train.jsonl.gz`: `chosen, rejected` as turn-marked text. The
  turns that both share are the prompt, the assistant's last turn is the response.
- Capybara-7K-binarized, hub id argilla/distilabel-capybara-dpo-7k-binarized, `data/train-*.parquet`: `chosen, rejected`
  (messages, several turns), `rating_chosen, rating_rejected`; equal ratings are a tie.
- UltraFeedback (arXiv 2310.01377) as pairs, hub id HuggingFaceH4/ultrafeedback_binarized,
  `data/train_prefs-*.parquet`: `chosen, rejected` (messages), `score_chosen, score_rejected`; equal scores are a tie.
- Any other data set of `chosen, rejected` messages, such as HuggingFaceH4/orca_dpo_pairs: `messages`.
- Votes between two models' conversations: MT-Bench's human judgments and Chatbot Arena (both arXiv 2306.05685). Hub id
  lmsys/mt_bench_human_judgments, `data/human-*.parquet`; hub id lmsys/chatbot_arena_conversations,
  `data/train-*.parquet`: `conversation_a, conversation_b` (messages), `winner` (`model_a`, `model_b`, or some `tie`),
  `turn`. A judgment of turn t is about the first t exchanges. From the second on the models go on from their own
  earlier answers: such conversations share no prompt, and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.data_sets.conversation import compared, messages_of, turns
from pipeline.data_sets.pair import Candidate, Reason, Row, WrongCell


def hh_rlhf(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    yield compared(turns(row["chosen"] or ""), turns(row["rejected"] or ""))


def message_pairs(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    yield compared(messages_of(row["chosen"], "chosen"), messages_of(row["rejected"], "rejected"))


def capybara(row: Row, most: int, rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    yield from _unless_tied(row, "rating", most, rng)


def ultrafeedback_binarized(row: Row, most: int, rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    yield from _unless_tied(row, "score", most, rng)


def _unless_tied(row: Row, grade: str, most: int, rng: np.random.Generator) -> Iterator[Candidate]:
    if row[f"{grade}_chosen"] is not None and row[f"{grade}_chosen"] == row[f"{grade}_rejected"]:
        yield Reason.TIE
    else:
        yield from message_pairs(row, most, rng)


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
