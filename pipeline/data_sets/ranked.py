"""Pairs of several scored responses to one prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from pipeline.data_sets.pair import Candidate, Pair, Reason


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
