"""The prompt of a row: from its text or messages, a system prompt, an input beside the instruction, earlier turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.data_sets.cells import text_of
from pipeline.data_sets.conversations import Message, from_prompt, is_message, messages_of
from pipeline.data_sets.pairs import Row


class Prompt(NamedTuple):
    """What a response answers; `is_text` if a plain text, not messages, gives its last turns."""

    messages: list[Message]
    is_text: bool

    def without_response(self, *responses: str | list[Message]) -> Prompt:
        """The prompt without its last turn if that is one of the responses, as where a conversation has it too."""
        contents = [turn.strip() if isinstance(turn, str) else turn[-1].content for turn in responses]
        if len(self.messages) > 1 and self.messages[-1].role == "assistant" and self.messages[-1].content in contents:
            return Prompt(self.messages[:-1], self.is_text)
        return self

    def complete(self, conversation: list[Message]) -> list[Message]:
        """The whole conversation up to its response: what the prompt has and the conversation lacks is put first."""
        if not conversation or conversation[0].role == "assistant":
            return [*self.messages, *conversation]
        stripped = [Message(role, content.strip()) for role, content in self.messages]
        if all(message in conversation for message in stripped):
            return conversation
        for shared in range(min(len(stripped), len(conversation)), 0, -1):
            if stripped[-shared:] == conversation[:shared]:
                return [*stripped[:-shared], *conversation]
        if not self.is_text:
            return [*stripped, *conversation]
        system = [] if conversation[0].role == "system" else [turn for turn in stripped if turn.role == "system"]
        return [*system, *conversation]


@dataclass(frozen=True)
class PromptColumns:
    """The columns of a prompt: its text or messages, a system prompt, an input, and earlier exchanges."""

    prompt: str | None = None
    system: str | None = None
    extra: str | None = None
    history: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are given."""
        return tuple(name for name in (self.history, self.system, self.prompt, self.extra) if name is not None)

    def prompt_of(self, row: Row) -> Prompt | None:
        """The prompt of a row; None if the prompt is in the responses themselves. Raises UnusableRow."""
        turns = messages_of(row[self.history], self.history) if self.history else []
        cell = row[self.prompt] if self.prompt else None
        if isinstance(cell, dict) and isinstance(cell.get("messages"), list):
            cell = cell["messages"]
        is_text = not (is_message(cell) or isinstance(cell, list))
        if is_text:
            turns += self._text_turns(row, cell)
        elif isinstance(cell, list) and all(part is None or isinstance(part, str) for part in cell):
            turns += [Message("user", (part or "").strip()) for part in cell]
        else:
            turns += messages_of(cell, str(self.prompt))
        system = self._text(row, self.system).strip()
        if system and (turns or self.prompt is None) and Message("system", system) not in turns:
            turns = [Message("system", system), *turns]
        return Prompt(turns, is_text) if turns or self.prompt is not None else None

    def _text_turns(self, row: Row, cell: object) -> list[Message]:
        if isinstance(cell, dict) and ("post" in cell or "article" in cell):
            text = _post(cell)
        else:
            text = text_of(cell, str(self.prompt)) or ""
        extra = self._text(row, self.extra)
        if extra.strip() and extra.strip() not in text:
            text = f"{text}\n{extra}" if text.strip() else extra
        return from_prompt(text) if text.strip() else []

    def _text(self, row: Row, column: str | None) -> str:
        return "" if column is None else text_of(row[column], column) or ""


def _post(cell: Mapping[str, Any]) -> str:
    """A post or an article to be summarised, as the prompts of summarize-from-feedback (arXiv 2009.01325) have it."""
    subreddit, title, post, article = (cell.get(key) for key in ("subreddit", "title", "post", "article"))
    lines = [f"SUBREDDIT: r/{subreddit}"] if subreddit else []
    lines += [f"TITLE: {title}"] if title else []
    text = post or article or ""
    return "\n".join([*lines, f"POST: {text}" if post else text, "TL;DR:"]) if text else ""
