"""Conversations as lists of messages and as the turn-marked text of HH-RLHF, and the prompt and response in them.

Turn-marked text (arXiv 2204.05862, hub id Anthropic/hh-rlhf): `\\n\\nHuman: …\\n\\nAssistant: …`, and so on. A prompt
of one user turn is kept as that turn alone; a longer one, or one with a system message, as turn-marked text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.data_sets.pair import Candidate, Pair, Reason, WrongCell


class Message(NamedTuple):
    """One turn; `role` is system, user or assistant."""

    role: str
    content: str


_MARKS = {"system": "System", "user": "Human", "assistant": "Assistant"}
_ROLES = {mark: role for role, mark in _MARKS.items()}
_TURN = re.compile(r"\n\n(System|Human|Assistant):")


def marked(messages: Sequence[Message]) -> str:
    """Messages as turn-marked text; `turns` of it gives them back if no content has a mark or blanks at its ends."""
    return "".join(f"\n\n{_MARKS[role]}: {content}" for role, content in messages)


def turns(text: str) -> list[Message]:
    """The messages of turn-marked text, stripped; none if it does not start with a mark."""
    parts = _TURN.split("\n\n" + text.lstrip())
    if parts[0].strip():
        return []
    return [Message(_ROLES[mark], content.strip()) for mark, content in zip(parts[1::2], parts[2::2], strict=True)]


def prompt_text(messages: Sequence[Message]) -> str:
    """A conversation up to the response as the text of a prompt."""
    if len(messages) == 1 and messages[0].role == "user":
        return messages[0].content
    return marked(messages).strip()


def opening(prompt: str) -> str:
    """The first user turn of a prompt's text: what all prompts that go on from the same one share."""
    return next((message.content for message in turns(prompt) if message.role == "user"), prompt.strip())


def with_system(system: str | None, user: str | None) -> str | None:
    """The text of a prompt of one user turn after a system message, which may be missing or empty."""
    if user is None or not user.strip() or system is None or not system.strip():
        return user
    return prompt_text([Message("system", system.strip()), Message("user", user.strip())])


def messages_of(cell: Sequence[dict[str, Any]] | None, column: str) -> list[Message]:
    """A column of `role, content` objects. Raises WrongCell for a role or a content that is none."""
    found = []
    for message in cell or []:
        role, content = message.get("role"), message.get("content")
        if role not in _MARKS or not isinstance(content, str):
            raise WrongCell(column, message, f"role, one of {list(_MARKS)}, and content, a text")
        found.append(Message(role, content.strip()))
    return found


def compared(chosen: Sequence[Message], rejected: Sequence[Message], **described: str | None) -> Candidate:
    """The pair of two conversations that share everything but their last turn, the assistant's."""
    if not chosen or not rejected or chosen[-1].role != "assistant" or rejected[-1].role != "assistant":
        return Reason.UNFINISHED
    if list(chosen[:-1]) != list(rejected[:-1]):
        return Reason.PROMPTS_DIFFER
    return Pair(prompt_text(chosen[:-1]), chosen[-1].content, rejected[-1].content, **described)
