"""Conversations: from every form in which people write them to messages, and from messages to a prompt's text.

Forms: objects `{role, content}` (OpenAI, TRL) or `{from, value}` (ShareGPT) with roles in any case and by any common
name; exchanges `[user, assistant]` or `{input, output}`; texts with marks before each turn. A prompt of a single user
turn is stored as that turn alone; a longer one, or one with a system message, as text with the marks of HH-RLHF (arXiv
2204.05862): `Human: …`, blank line, `Assistant: …`, and so on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.data_sets.pairs import Candidate, Pair, Reason, UnusableRow


class Message(NamedTuple):
    """One turn; `role` is system, user or assistant."""

    role: str
    content: str


_NAMES = {
    "user": "user human prompter customer questioner usr client person student instruction question q",
    "assistant": "assistant gpt chatgpt model bot chatbot ai llm agent claude gemini bard answer response a",
    "system": "system sys developer",
}
_ROLE_OF: Mapping[str, str] = {name: role for role, names in _NAMES.items() for name in names.split()}
_ROLE_KEYS = ("role", "from", "speaker", "author", "sender")
_CONTENT_KEYS = ("content", "value", "text", "message", "utterance")
_EXCHANGE_KEYS = (
    *(("input", "output"), ("instruction", "output"), ("instruction", "response"), ("prompt", "response")),
    *(("human", "assistant"), ("user", "assistant"), ("question", "answer"), ("query", "response")),
)


# Objects --------------------------------------------------------------------------------------------------------------


def is_message(cell: object) -> bool:
    """Whether the cell is an object with a role and a content."""
    if not isinstance(cell, dict):
        return False
    role = cell.get("role") or _value(cell, _ROLE_KEYS)
    return isinstance(role, str) and ("content" in cell or any(key in cell for key in _CONTENT_KEYS))


def is_conversation(cell: object) -> bool:
    """Whether the cell is a list of messages, not an empty one."""
    return isinstance(cell, list) and bool(cell) and all(is_message(part) for part in cell)


def messages_of(cell: object, column: str) -> list[Message]:
    """The messages in a cell: one, a list of them, or a list of exchanges; none in an empty cell.

    Raises UnusableRow for a role that is unknown, a content that is no text, or a cell that is no conversation.
    """
    if cell is None or cell == "":
        return []
    if is_message(cell):
        return [_message(cell, column)]
    if not isinstance(cell, list):
        raise UnusableRow(column, cell, "messages")
    return [message for part in cell for message in _turns(part, column)]


def _turns(part: object, column: str) -> list[Message]:
    if is_message(part):
        return [_message(part, column)]
    if isinstance(part, dict):
        part = next(([part[a], part[b]] for a, b in _EXCHANGE_KEYS if a in part and b in part), part)
    if isinstance(part, list | tuple) and len(part) == 2 and all(isinstance(text, str) for text in part):
        return [Message("user", part[0].strip()), Message("assistant", part[1].strip())]
    raise UnusableRow(column, part, "a message with role and content, or an exchange of two texts")


def _message(cell: Any, column: str) -> Message:
    name = str(cell.get("role") or _value(cell, _ROLE_KEYS))
    role = _role_of(name)
    if role is None:
        raise UnusableRow(column, name, f"a role, one of {', '.join(_NAMES)}", Reason.UNKNOWN_ROLE)
    return Message(role, _content(_value(cell, _CONTENT_KEYS), column).strip())


@lru_cache(maxsize=1024)
def _role_of(name: str) -> str | None:
    return _ROLE_OF.get(re.sub(r"[^a-z]+", "", name.casefold()))


def _content(cell: object, column: str) -> str:
    """A text, or a list of parts that are all texts (`{type: text, text: …}`)."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, list) and cell:
        parts = [part.get("text") if isinstance(part, dict) else part for part in cell]
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) == len(parts):
            return "\n".join(texts)
    raise UnusableRow(column, cell, "a turn of text only")


def _value(cell: dict[str, Any], keys: Sequence[str]) -> Any:
    for key in keys:
        value = cell.get(key)
        if value is not None:
            return value
    return None


# Marked text ----------------------------------------------------------------------------------------------------------

_MARKS = {"system": "System", "user": "Human", "assistant": "Assistant"}
_ROLES = {mark: role for role, mark in _MARKS.items()}
_BEGINNINGS = tuple(f"{mark}:" for mark in _ROLES)
_TURN = re.compile(r"\n\n(System|Human|Assistant):")
_TEMPLATES = (
    re.compile(r"<\|im_start\|>(\w+)\n(.*?)(?:<\|im_end\|>\s*|\Z)", re.DOTALL),
    re.compile(r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\n\n(.*?)(?:<\|eot_id\|>\s*|\Z)", re.DOTALL),
    re.compile(r"<\|(system|user|assistant)\|>\n(.*?)(?:</s>\s*|(?=<\|\w+\|>\n)|\Z)", re.DOTALL),
    re.compile(
        r"### (Human|Assistant|User|System): ?(.*?)(?:\s*(?=### (?:Human|Assistant|User|System):)|\Z)", re.DOTALL
    ),
)
"""Chat templates as text: ChatML, Llama 3, Zephyr, Guanaco. Each matches one turn, its role and its content."""
_TEMPLATE_MARKS = ("<|", "### ", "<extra_id_1>")
"""One of them is in every text that a template wrote; looked for first, because it is quick."""
_BEGIN = re.compile(r"<\|begin_of_text\|>|<s>")
_HELPSTEER_TURN = re.compile(r"\s*<extra_id_1>(User|Assistant)\n")


def to_marked_text(messages: Sequence[Message]) -> str:
    """Messages as marked text; `from_marked_text` restores them if no content has a mark or blanks at its ends."""
    return "".join(f"\n\n{_MARKS[role]}: {content}" for role, content in messages)


def from_marked_text(text: str) -> list[Message]:
    """The messages of marked text, stripped; empty if the text does not start with a mark."""
    stripped = text.lstrip()
    if not stripped.startswith(_BEGINNINGS):
        return []
    parts = _TURN.split("\n\n" + stripped)
    return [Message(_ROLES[mark], content.strip()) for mark, content in zip(parts[1::2], parts[2::2], strict=True)]


def from_template(text: str) -> list[Message]:
    """The messages of a text that a chat template wrote, or of HelpSteer2's prompts; empty for any other text."""
    if not any(mark in text for mark in _TEMPLATE_MARKS):
        return []
    stripped = _BEGIN.sub("", text, count=1).lstrip()
    for turn in _TEMPLATES:
        matches = list(turn.finditer(stripped))
        if matches and not turn.sub("", stripped).strip():
            roles = [_ROLE_OF.get(match[1].casefold()) for match in matches]
            if all(roles):
                return [Message(str(role), match[2].strip()) for role, match in zip(roles, matches, strict=True)]
    parts = _HELPSTEER_TURN.split(text)
    if len(parts) == 1:
        return []
    roles_after = ["user", *(_ROLE_OF[name.casefold()] for name in parts[1::2])]
    turns = [Message(role, content.strip()) for role, content in zip(roles_after, parts[::2], strict=True)]
    return turns if turns[0].content else turns[1:]


def from_text(text: str) -> list[Message]:
    """The messages of a text with marks of any known form; empty if it has none."""
    return from_marked_text(text) or from_template(text)


def from_prompt(text: str) -> list[Message]:
    """A prompt's text as messages: one user turn, unless a template wrote it or it ends where the assistant begins."""
    turns = from_template(text)
    if not turns:
        marked = from_marked_text(text)
        turns = marked if len(marked) > 1 and marked[-1] == ("assistant", "") else []
    if turns and turns[-1] == ("assistant", ""):
        turns = turns[:-1]
    return turns or [Message("user", text)]


# Prompts and pairs ----------------------------------------------------------------------------------------------------


def prompt_text(messages: Sequence[Message]) -> str:
    """The text of a prompt: a conversation up to the response."""
    if len(messages) == 1 and messages[0].role == "user":
        return messages[0].content
    return to_marked_text([Message(role, content.strip()) for role, content in messages]).strip()


def first_user_turn(prompt: str) -> str:
    """The first user turn of a prompt's text, which all conversations that start alike share."""
    return next((turn.content for turn in from_marked_text(prompt) if turn.role == "user"), prompt.strip())


def pair_of_conversations(chosen: Sequence[Message], rejected: Sequence[Message]) -> Candidate:
    """The pair of two conversations that differ only in their last turn, the assistant's."""
    if not chosen or not rejected or chosen[-1].role != "assistant" or rejected[-1].role != "assistant":
        return Reason.UNFINISHED
    if list(chosen[:-1]) != list(rejected[:-1]):
        return Reason.PROMPTS_DIFFER
    return Pair(prompt_text(chosen[:-1]), chosen[-1].content, rejected[-1].content)
