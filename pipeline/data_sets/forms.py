"""The forms in which rows hold responses, and the candidate pairs in each: two sides, votes, ranked lists, ratings.

A response is a text, a message, an object with a text, or a whole conversation; a cell may hold several of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product, takewhile
from typing import Any, ClassVar

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
    if isinstance(cell, list):
        if any(map(is_message, cell)):
            raise UnusableRow(column, cell, "messages that all have a role and a content")
        return [response for part in cell for response in responses_of(part, column)]
    return [text_of(cell, column) or ""]


def single_response(cell: object, column: str) -> Response:
    """The response in a cell, stripped if it is a text. Raises UnusableRow if there are several."""
    responses = responses_of(cell, column) or [""]
    if len(responses) > 1:
        raise UnusableRow(column, cell, "one response")
    return responses[0].strip() if isinstance(responses[0], str) else responses[0]


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
    response is the chosen one. Equal numbers in each pair of `scores` columns are a tie, and so is a `status` "tie"."""

    chosen: str = "chosen"
    rejected: str | None = "rejected"
    scores: tuple[tuple[str, str], ...] = ()
    status: str | None = None
    ranked: ClassVar[bool] = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        beside = (name for pair in self.scores for name in pair)
        return tuple(name for name in (self.chosen, self.rejected, self.status, *beside) if name is not None)

    def candidates(self, row: Row, prompt: Prompt | None) -> Iterator[Candidate]:
        """The pairs of a row. Raises UnusableRow."""
        if self._is_tie(row):
            return iter([Reason.TIE])
        chosen = responses_of(row[self.chosen], self.chosen)
        if self.rejected is None:
            return each_against_each(prompt, chosen[:1], chosen[1:])
        return each_against_each(prompt, chosen, responses_of(row[self.rejected], self.rejected))

    def _is_tie(self, row: Row) -> bool:
        if self.status is not None and str(row[self.status]).strip().casefold() == "tie":
            return True
        return _are_equal(row, self.scores)


def _are_equal(row: Row, columns: Sequence[tuple[str, str]]) -> bool:
    """Whether the numbers in all pairs of columns that have both are equal."""
    numbers = [(number_of(row[a]), number_of(row[b])) for a, b in columns]
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
        if self.scores is not None and _are_equal(row, [self.scores]):
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


@dataclass(frozen=True)
class Ranked:
    """Several responses to a prompt, each with a score: a list of texts or objects, or a column each.

    The score is in the object under the first of `keys` that it has, or in the list `scores`. Of the pairs only some
    are drawn.
    """

    responses: tuple[str, ...]
    scores: str | None = None
    keys: tuple[str, ...] = ()
    lowest_is_best: bool = False
    ranked: ClassVar[bool] = True

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        return self.responses if self.scores is None else (*self.responses, self.scores)

    def candidates(self, row: Row, prompt: Prompt | None) -> Iterator[Candidate]:
        """The pairs of a row. Raises UnusableRow."""
        column = self.responses[0]
        cells = row[column] if len(self.responses) == 1 else [row[name] for name in self.responses]
        if not isinstance(cells, list):
            if cells is None:
                return iter([Reason.EMPTY])
            raise UnusableRow(column, cells, "a list of responses")
        if self.scores is None:
            numbers = [self._score(cell) for cell in cells]
        else:
            listed = row[self.scores]
            if listed is None:
                return iter([Reason.UNRATED])
            if not isinstance(listed, list) or len(listed) != len(cells):
                raise UnusableRow(self.scores, listed, f"a list of {len(cells)} scores, one for each response")
            numbers = [number_of(score) for score in listed]
        sign = -1 if self.lowest_is_best else 1
        scores = [None if number is None else sign * number for number in numbers]
        responses = [single_response(cell, column) for cell in cells]
        return by_score(prompt, zip(responses, scores, strict=True))

    def _score(self, cell: Any) -> float | None:
        values = (number_of(cell.get(key)) for key in self.keys) if isinstance(cell, dict) else ()
        return next((value for value in values if value is not None), None)


def by_score(prompt: Prompt | None, scored: Iterable[tuple[Response, float | None]]) -> Iterator[Candidate]:
    """All C(R, 2) pairs of R (response, score): the higher score is chosen, equal scores are a tie."""
    for (first, a), (second, b) in combinations(scored, 2):
        if a is None or b is None:
            yield Reason.UNRATED
        elif a == b:
            yield Reason.TIE
        else:
            yield paired(prompt, first, second) if a > b else paired(prompt, second, first)


@dataclass(frozen=True)
class Rated:
    """One response a row with its score; rows of the same prompt are gathered before they are paired."""

    response: str
    score: str
    ranked: ClassVar[bool] = True

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.response, self.score)

    def rated(self, row: Row) -> tuple[Response, float | None]:
        """The response of a row and its score. Raises UnusableRow."""
        return single_response(row[self.response], self.response), number_of(row[self.score])


@dataclass
class RatedPrompt:
    """The rated responses to one prompt."""

    prompt: Prompt
    responses: list[tuple[Response, float | None]] = field(default_factory=list)

    def candidates(self) -> list[Candidate]:
        """Their pairs; a single response has none."""
        return list(by_score(self.prompt, self.responses)) or [Reason.SINGLE]


Form = Sides | Votes | Ranked | Rated
