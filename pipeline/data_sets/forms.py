"""The two forms in which a row says which of its responses is better: chosen and rejected sides, and votes.

A response is a text, a message, an object with a text, or a whole conversation; a cell may hold several of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product, takewhile
from typing import ClassVar

from pipeline.data_sets.cells import number_of, text_of
from pipeline.data_sets.conversations import (
    Message,
    from_text,
    is_conversation,
    is_message,
    messages_of,
    pair_of_conversations,
    prompt_text,
)
from pipeline.data_sets.names import SCORE_KEYS
from pipeline.data_sets.pairs import Candidate, Pair, Reason, Row, UnusableRow
from pipeline.data_sets.prompts import Prompt
from pipeline.data_sets.verdicts import Verdict

Response = str | list[Message]
"""A text, or a conversation that ends with the response."""


def responses_of(cell: object, column: str) -> list[Response]:
    """The responses in a cell: usually one; several in a list. An empty cell is an empty text. Raises UnusableRow."""
    if is_message(cell) or is_conversation(cell):
        messages = messages_of(cell, column)
        if len(messages) > 1 and all(message.role == "assistant" for message in messages):
            return [[message] for message in messages]
        return [messages]
    if isinstance(cell, dict) and isinstance(cell.get("messages"), list):
        return responses_of(cell["messages"], column)
    if isinstance(cell, list):
        if any(map(is_message, cell)):
            raise UnusableRow(column, cell, "messages that all have a role and a content")
        return [response for part in cell for response in responses_of(part, column)]
    return [text_of(cell, column) or ""]


def paired(prompt: Prompt | None, chosen: Response, rejected: Response) -> Candidate:
    """The pair of two responses to a prompt, which may be in the responses themselves."""
    if not chosen or not rejected:
        return Reason.EMPTY
    prompt = None if prompt is None else prompt.without_response(chosen, rejected)
    if isinstance(chosen, str) and isinstance(rejected, str):
        dialogues = from_text(chosen), from_text(rejected)
        if prompt is None and not any(dialogues):
            return _split_where_they_differ(chosen, rejected)
        if prompt is not None and not all(map(_is_dialogue, dialogues)):
            return Pair(prompt_text(prompt.messages), chosen, rejected)
        return pair_of_conversations(*dialogues)
    prompt = prompt or Prompt([], is_text=False)
    first = None if isinstance(chosen, str) else prompt.complete(chosen)
    second = None if isinstance(rejected, str) else prompt.complete(rejected)
    shared = (first or second or [])[:-1]
    return pair_of_conversations(
        first or [*shared, Message("assistant", str(chosen).strip())],
        second or [*shared, Message("assistant", str(rejected).strip())],
    )


def _is_dialogue(turns: Sequence[Message]) -> bool:
    return len(turns) > 1 and turns[0].role != "assistant"


def _split_where_they_differ(chosen: str, rejected: str) -> Candidate:
    """Two texts that begin with their prompt, as TRL's implicit prompts: they are cut before the first word that
    differs."""
    if chosen == rejected:
        return Reason.IDENTICAL
    equal = takewhile(lambda pair: pair[0] == pair[1], zip(chosen, rejected, strict=False))
    shared = chosen[: sum(1 for _ in equal)]
    begin = re.match(r".*\s", shared, re.DOTALL)
    if begin is None or not begin[0].strip():
        return Reason.NO_PROMPT
    cut = begin.end()
    return Pair(shared[:cut].strip(), chosen[cut:], rejected[cut:])


def each_against_each(prompt: Prompt | None, chosen: list[Response], rejected: list[Response]) -> Iterator[Candidate]:
    """All pairs of a chosen and a rejected response."""
    return (paired(prompt, better, worse) for better, worse in product(chosen, rejected))


@dataclass(frozen=True)
class Sides:
    """A column with the chosen responses and one with the rejected ones; without the latter, a list whose first
    response is the chosen one. With `within`, the two columns are places in that list of responses.

    Equal numbers in each pair of `scores` columns are a tie; so are equal scores in the objects of the two sides, and a
    `status` "tie".
    """

    chosen: str = "chosen"
    rejected: str | None = "rejected"
    scores: tuple[tuple[str, str], ...] = ()
    status: str | None = None
    within: str | None = None
    ranked: ClassVar[bool] = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        beside = (name for pair in self.scores for name in pair)
        names = (self.chosen, self.rejected, self.status, self.within, *beside)
        return tuple(name for name in names if name is not None)

    def candidates(self, row: Row, prompt: Prompt | None) -> Iterator[Candidate]:
        """The pairs of a row. Raises UnusableRow."""
        if self._is_tie(row):
            return iter([Reason.TIE])
        chosen = self._side(row, self.chosen)
        if self.rejected is None:
            return each_against_each(prompt, chosen[:1], chosen[1:])
        return each_against_each(prompt, chosen, self._side(row, self.rejected))

    def _side(self, row: Row, column: str) -> list[Response]:
        cell = row[column]
        if self.within is not None:
            listed, place = row[self.within], number_of(cell)
            if not isinstance(listed, list) or place is None or not 0 <= place < len(listed):
                raise UnusableRow(column, cell, f"a place in the list {self.within}, from 0")
            cell = listed[int(place)]
        return responses_of(cell, column)

    def _is_tie(self, row: Row) -> bool:
        chosen, rejected = row[self.chosen], row[self.rejected] if self.rejected is not None else None
        if self.status is not None and str(row[self.status]).strip().casefold() == "tie":
            return True
        if isinstance(chosen, dict) and isinstance(rejected, dict):
            inside = [(chosen.get(key), rejected.get(key)) for key in SCORE_KEYS]
            return _all_equal(inside) or _all_equal((row[a], row[b]) for a, b in self.scores)
        return _all_equal((row[a], row[b]) for a, b in self.scores)


def _all_equal(cells: Iterable[tuple[object, object]]) -> bool:
    """Whether the two numbers are equal in all pairs of cells that have both, and some have."""
    numbers = [(number_of(a), number_of(b)) for a, b in cells]
    known = [(a, b) for a, b in numbers if a is not None and b is not None]
    return bool(known) and all(a == b for a, b in known)


@dataclass(frozen=True)
class Votes:
    """Two responses, or one column with a list of two, and a verdict on which is better.

    Equal numbers in the two `scores` are a tie. `turn` is a column with the number of exchanges judged. In a `dialogue`
    the cells are lists of replies, in turn with the user's turns in the prompt.
    """

    first: str
    second: str
    verdict: Verdict
    scores: tuple[str, str] | None = None
    turn: str | None = None
    dialogue: bool = False
    ranked: ClassVar[bool] = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        turn = () if self.turn is None else (self.turn,)
        return (self.first, self.second, *self.verdict.columns, *(self.scores or ()), *turn)

    def candidates(self, row: Row, prompt: Prompt | None) -> Iterator[Candidate]:
        """The pairs of a row. Raises UnusableRow."""
        if self.scores is not None and _all_equal([(row[self.scores[0]], row[self.scores[1]])]):
            return iter([Reason.TIE])
        winner = self.verdict.winner(row)
        if isinstance(winner, Reason):
            return iter([winner])
        if self.first == self.second:
            sides = [[response] for response in responses_of(row[self.first], self.first)]
            if len(sides) != 2:
                raise UnusableRow(self.first, row[self.first], "two responses")
        else:
            sides = [self._responses(row, column, prompt) for column in (self.first, self.second)]
        return each_against_each(None if self.dialogue else prompt, sides[winner], sides[1 - winner])

    def _responses(self, row: Row, column: str, prompt: Prompt | None) -> list[Response]:
        if self.dialogue:
            return [_dialogue(row[column], column, prompt)]
        responses = responses_of(row[column], column)
        if self.turn is None:
            return responses
        turn = number_of(row[self.turn])
        if turn is None or turn < 1:
            raise UnusableRow(self.turn, row[self.turn], "a number from 1")
        return [response if isinstance(response, str) else _exchanges(response, int(turn)) for response in responses]


def _exchanges(conversation: list[Message], count: int) -> list[Message]:
    """The first exchanges of a conversation, with its system message."""
    system = sum(message.role == "system" for message in conversation[:1])
    return conversation[: system + 2 * count]


def _dialogue(cell: object, column: str, prompt: Prompt | None) -> list[Message]:
    """A model's replies, in turn with the user's, which are the prompt."""
    replies = cell if isinstance(cell, list) else [cell]
    users = [] if prompt is None else prompt.messages
    if len(replies) != len(users):
        raise UnusableRow(column, cell, f"{len(users)} replies, one to each turn of the user")
    turns = zip(users, replies, strict=True)
    return [
        turn for user, reply in turns for turn in (user, Message("assistant", (text_of(reply, column) or "").strip()))
    ]
