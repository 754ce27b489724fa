"""A preference pair, the reasons for dropping one, and conversations as messages or as the marked text of HH-RLHF.

Marked text (arXiv 2204.05862, hub id Anthropic/hh-rlhf) is `\\n\\nHuman: …\\n\\nAssistant: …`, and so on. A prompt of a
single user turn is stored as that turn alone; a longer one, or one with a system message, as marked text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
    UNRATED = "unrated"  # a response has no score
    LABELS_DISAGREE = "labels disagree"  # two labels prefer different responses
    PROMPTS_DIFFER = "prompts differ"  # the conversations differ before their last turn
    UNFINISHED = "unfinished"  # a conversation does not end with the assistant
    NOT_DRAWN = "not drawn"  # more pairs of ranked responses, or of a source, than the rules allow
    EMPTY = "empty"
    IDENTICAL = "identical"
    TOO_LONG = "too long"
    DUPLICATE = "duplicate"
    CONTRADICTION = "contradiction"  # the same two responses with the labels swapped


Candidate = Pair | Reason


class WrongCell(ValueError):
    """A cell that a data set's schema does not allow."""

    def __init__(self, column: str, got: object, expected: str) -> None:
        super().__init__(f"column {column}: got {got!r:.60}; expected {expected}")


class Message(NamedTuple):
    """One turn; `role` is system, user or assistant."""

    role: str
    content: str


_MARKS = {"system": "System", "user": "Human", "assistant": "Assistant"}
_ROLES = {mark: role for role, mark in _MARKS.items()}
_TURN = re.compile(r"\n\n(System|Human|Assistant):")


def to_marked_text(messages: Sequence[Message]) -> str:
    """Messages as marked text; `from_marked_text` restores them if no content has a mark or blanks at its ends."""
    return "".join(f"\n\n{_MARKS[role]}: {content}" for role, content in messages)


def from_marked_text(text: str) -> list[Message]:
    """The messages of marked text, stripped; empty if the text does not start with a mark."""
    parts = _TURN.split("\n\n" + text.lstrip())
    if parts[0].strip():
        return []
    return [Message(_ROLES[mark], content.strip()) for mark, content in zip(parts[1::2], parts[2::2], strict=True)]


def from_objects(cell: Sequence[dict[str, Any]] | None, column: str) -> list[Message]:
    """A cell of `{role, content}` objects as messages. Raises WrongCell for an unknown role or a content that is no
    text."""
    for message in cell or []:
        if message.get("role") not in _MARKS or not isinstance(message.get("content"), str):
            raise WrongCell(column, message, f"role, one of {list(_MARKS)}, and content, a text")
    return [Message(message["role"], message["content"].strip()) for message in cell or []]


def prompt_text(messages: Sequence[Message]) -> str:
    """The text of a prompt: a conversation up to the response."""
    if len(messages) == 1 and messages[0].role == "user":
        return messages[0].content
    return to_marked_text(messages).strip()


def first_user_turn(prompt: str) -> str:
    """The first user turn of a prompt's text, which all conversations that start alike share."""
    return next((turn.content for turn in from_marked_text(prompt) if turn.role == "user"), prompt.strip())


def prompt_with_system(system: str | None, user: str | None) -> str | None:
    """The text of a prompt of one user turn after a system message, which may be missing or empty."""
    if not (user or "").strip() or not (system or "").strip():
        return user
    return prompt_text([Message("system", str(system).strip()), Message("user", str(user).strip())])


def pair_of_conversations(chosen: Sequence[Message], rejected: Sequence[Message]) -> Candidate:
    """The pair of two conversations that differ only in their last turn, the assistant's."""
    if not chosen or not rejected or chosen[-1].role != "assistant" or rejected[-1].role != "assistant":
        return Reason.UNFINISHED
    if list(chosen[:-1]) != list(rejected[:-1]):
        return Reason.PROMPTS_DIFFER
    return Pair(prompt_text(chosen[:-1]), chosen[-1].content, rejected[-1].content)
