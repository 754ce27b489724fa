"""What every data set is turned into: a pair of responses to one prompt, or the reason why a row gives none."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

Row = dict[str, Any]
"""One row of a file, by column."""


class Pair(NamedTuple):
    """`chosen` was preferred to `rejected` as the response to `prompt`. Empty or missing texts are filtered later."""

    prompt: str | None
    chosen: str | None
    rejected: str | None
    category: str | None = None
    subset: str | None = None
    source: str | None = None
    """Where the pair comes from, if not from the data set as such."""


class Reason(StrEnum):
    """Why a candidate pair is not kept; each is counted."""

    TIE = "tie"  # no response was preferred
    UNRATED = "unrated"  # a response has no score
    LABELS_DISAGREE = "labels disagree"  # one label prefers the one response, another the other
    PROMPTS_DIFFER = "prompts differ"  # the conversations part before their last turn
    UNFINISHED = "unfinished"  # a conversation does not end with the assistant
    NOT_DRAWN = "not drawn"  # more pairs of ranked responses, or of a source, than asked for
    EMPTY = "empty"
    IDENTICAL = "identical"
    TOO_LONG = "too long"
    DUPLICATE = "duplicate"
    CONTRADICTION = "contradiction"  # the same two responses, the other way round


Candidate = Pair | Reason


class WrongCell(ValueError):
    """A cell that a data set's schema does not allow."""

    def __init__(self, column: str, got: object, wanted: str) -> None:
        super().__init__(f"column {column}: got {got!r:.60}; wanted {wanted}")
