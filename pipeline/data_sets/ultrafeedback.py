"""UltraFeedback (arXiv 2310.01377) in its two forms.

- Raw, hub id openbmb/UltraFeedback, `*.jsonl`: `instruction`, `completions` (objects with `response`,
  `fine-grained_score` and `overall_score`). The fine-grained score, the mean of four ratings, decides; the overall one,
  which has 1 and 10 mixed up in places, only where it is missing.
- Binarized, hub id HuggingFaceH4/ultrafeedback_binarized, `data/train_prefs-*.parquet`: `chosen, rejected` (messages),
  `score_chosen, score_rejected`; equal scores are a tie.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.data_sets.conversation import compared, messages_of
from pipeline.data_sets.pair import Candidate, Reason, Row
from pipeline.data_sets.ranked import ranked_pairs


def ultrafeedback(row: Row, most: int, rng: np.random.Generator) -> Iterator[Candidate]:
    """At most `most` pairs of completions with different scores."""
    scored = []
    for completion in row["completions"] or []:
        score = completion.get("fine-grained_score")
        score = completion.get("overall_score") if score is None else score
        scored.append((completion.get("response"), None if score is None else float(score)))
    yield from ranked_pairs(row["instruction"], scored, most, rng)


def ultrafeedback_binarized(row: Row, _most: int, _rng: np.random.Generator) -> Iterator[Candidate]:
    """One pair."""
    if row["score_chosen"] is not None and row["score_chosen"] == row["score_rejected"]:
        yield Reason.TIE
    else:
        yield compared(messages_of(row["chosen"], "chosen"), messages_of(row["rejected"], "rejected"))
