"""The two forms in which responses have scores: several in a row, or one a row; all their pairs are candidates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, ClassVar

from pipeline.data_sets.cells import number_of
from pipeline.data_sets.forms import Response, paired, responses_of
from pipeline.data_sets.pairs import Candidate, Reason, Row, UnusableRow
from pipeline.data_sets.prompts import Prompt


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


def single_response(cell: object, column: str) -> Response:
    """The response in a cell, stripped if it is a text. Raises UnusableRow if there are several."""
    responses = responses_of(cell, column) or [""]
    if len(responses) > 1:
        raise UnusableRow(column, cell, "one response")
    return responses[0].strip() if isinstance(responses[0], str) else responses[0]
