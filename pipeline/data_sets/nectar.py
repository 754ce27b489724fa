"""Nectar, hub id berkeley-nest/Nectar, `data/rlaif.parquet`: seven responses to a prompt, ranked by GPT-4.

`prompt` (turn-marked text that ends with `Assistant:`), `answers` (objects with `answer` and `rank`, 1 the best).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.data_sets.conversation import prompt_text, turns
from pipeline.data_sets.pair import Candidate, Row
from pipeline.data_sets.ranked import ranked_pairs


def nectar(row: Row, most: int, rng: np.random.Generator) -> Iterator[Candidate]:
    """At most `most` pairs of answers with different ranks."""
    prompt = row["prompt"]
    messages = turns(prompt or "")
    if messages and messages[-1].role == "assistant" and not messages[-1].content:
        messages = messages[:-1]
    if messages:
        prompt = prompt_text(messages)
    scored = [
        (_stripped(answer.get("answer")), None if answer.get("rank") is None else -float(answer["rank"]))
        for answer in row["answers"] or []
    ]
    yield from ranked_pairs(prompt, scored, most, rng)


def _stripped(text: str | None) -> str | None:
    return None if text is None else text.strip()
