"""A preference pair, the reasons for dropping one, and the error for a row that cannot be used."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

Row = dict[str, Any]
"""One row of a file, by column."""


class Pair(NamedTuple):
    """`chosen` was preferred to `rejected` as the response to `prompt`. Empty and missing texts are filtered later.

    `source` says where the pair comes from, if not from the data set as a whole.
    """

    prompt: str | None
    chosen: str | None
    rejected: str | None
    category: str | None = None
    subset: str | None = None
    source: str | None = None


class Reason(StrEnum):
    """Why a candidate pair is dropped; each is counted."""

    TIE = "tie"  # no response was preferred
    UNRATED = "unrated"  # a response has no score, or nobody said which is better
    LABELS_DISAGREE = "labels disagree"  # two labels prefer different responses
    PROMPTS_DIFFER = "prompts differ"  # the conversations differ before their last turn
    NO_PROMPT = "no prompt"  # two texts without a prompt that do not begin alike
    UNFINISHED = "unfinished"  # a conversation does not end with the assistant
    SINGLE = "single response"  # the prompt has no second response
    UNKNOWN_ROLE = "unknown role"  # a turn of neither user, assistant nor system, such as a tool's
    UNREADABLE = "unreadable"  # a cell does not hold what its column holds
    NOT_DRAWN = "not drawn"  # more pairs of ranked responses, or of a source, than the rules allow
    EMPTY = "empty"
    IDENTICAL = "identical"
    TOO_LONG = "too long"
    DUPLICATE = "duplicate"
    CONTRADICTION = "contradiction"  # the same two responses with the labels swapped


Candidate = Pair | Reason


class UnusableRow(ValueError):
    """A row that is left out and counted under `reason`, because of one of its cells."""

    def __init__(self, column: str, got: object, expected: str, reason: Reason = Reason.UNREADABLE) -> None:
        super().__init__(f"column {column}: got {got!r:.60}; expected {expected}")
        self.reason = reason
