"""Data sets with several scored or ranked responses to a prompt, and the pairs that are drawn of them.

- Nectar, hub id berkeley-nest/Nectar, `data/rlaif.parquet`: seven responses to a prompt, ranked by GPT-4. `prompt`
  (turn-marked text that ends with `Assistant:`), `answers` (objects with `answer` and `rank`, 1 the best).
- UltraFeedback (arXiv 2310.01377) as it was rated, hub id openbmb/UltraFeedback, `*.jsonl`: `instruction`,
  `completions` (objects with `response`, `fine-grained_score` and `overall_score`). The fine-grained score, the mean of
  four ratings, decides; the overall one, which has 1 and 10 mixed up in places, only where it is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from pipeline.data_sets.conversation import prompt_text, turns
from pipeline.data_sets.pair import Candidate, Pair, Reason, Row


def ranked_pairs(
    prompt: str | None, scored: Sequence[tuple[str | None, float | None]], most: int, rng: np.random.Generator
) -> Iterator[Candidate]:
    """All C(R, 2) pairs of R (response, score) with their reasons, at most `most` of them kept, drawn by `rng`.

    The larger score is chosen. Equal scores are a tie, a missing one leaves its pairs unrated.
    """
    pairs = []
    for (first, a), (second, b) in combinations(scored, 2):
        if a is None or b is None or a != a or b != b:
            yield Reason.UNRATED
        elif a == b:
            yield Reason.TIE
        else:
            pairs.append(Pair(prompt, first, second) if a > b else Pair(prompt, second, first))
    drawn = range(len(pairs))
    if len(pairs) > most:
        drawn = sorted(rng.choice(len(pairs), most, replace=False))  # type: ignore[assignment]
        yield from [Reason.NOT_DRAWN] * (len(pairs) - most)
    yield from (pairs[index] for index in drawn)


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


def ultrafeedback(row: Row, most: int, rng: np.random.Generator) -> Iterator[Candidate]:
    """At most `most` pairs of completions with different scores."""
    scored = []
    for completion in row["completions"] or []:
        score = completion.get("fine-grained_score")
        score = completion.get("overall_score") if score is None else score
        scored.append((completion.get("response"), None if score is None else float(score)))
    yield from ranked_pairs(row["instruction"], scored, most, rng)
