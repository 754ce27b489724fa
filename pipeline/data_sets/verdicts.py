"""How data sets write which of two responses is better: a name, an index, a sign, one column each, or two scores."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.data_sets.cells import number_of
from pipeline.data_sets.pairs import Reason, Row, UnusableRow

Winner = int | Reason
"""0: the first response, 1: the second; or why it is neither."""

_TIES = re.compile(r"\b(tie|tied|draw|both|equal|same|neither|none)\b|bothbad|both_bad|tie_")
_SIDE = re.compile(
    r"(?:(?:the )?(?:model|response|assistant|answer|output|completion|candidate|option|conversation|text|summary|"
    r"system|chosen|ai)[ _-]?)?(a|1|first|left|b|2|second|right)(?: (?:is better|wins|won))?"
)
_COMPARISON = re.compile(
    r"(?:\w+[ _-])?(a|1)\s*([<>=≈]+)\s*(?:\w+[ _-])?(b|2)|(?:\w+[ _-])?(b|2)\s*([<>=≈]+)\s*(?:\w+[ _-])?(a|1)"
)


def winner_by_name(text: str) -> Winner | None:
    """Who wins by `A`, `model_a`, `[[A]]`, `response_1`, `A>B`, `tie`, `both_bad`, …; None if it says neither."""
    stripped = text.strip().casefold().strip("[]()'\". ")
    if _TIES.search(stripped.replace("_", " ")) or _TIES.search(stripped):
        return Reason.TIE
    comparison = _COMPARISON.fullmatch(stripped)
    if comparison is not None:
        sign = comparison[2] or comparison[5]
        if set(sign) <= {"=", "≈"}:
            return Reason.TIE
        return int((sign[0] == "<") == (comparison[1] is not None))
    side = _SIDE.fullmatch(stripped)
    return None if side is None else int(side[1] in ("b", "2", "second", "right"))


@dataclass(frozen=True)
class _OneColumn:
    """A verdict in one column."""

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.column,)


@dataclass(frozen=True)
class Named(_OneColumn):
    """A text that names the winner."""

    def winner(self, row: Row) -> Winner:
        """Who wins. Raises UnusableRow."""
        cell = row[self.column]
        if cell is None or str(cell).strip() == "":
            return Reason.UNRATED
        winner = winner_by_name(str(cell))
        if winner is None:
            raise UnusableRow(self.column, cell, "model_a, model_b or tie, or another name of the two")
        return winner


@dataclass(frozen=True)
class Index:
    """The number of the better response, counted from `base`; 1.5 of 1 and 2 is a tie. Two labels have to agree."""

    columns: tuple[str, ...]
    base: int = 0

    def winner(self, row: Row) -> Winner:
        """Who wins. Raises UnusableRow."""
        given = [column for column in self.columns if row.get(column) is not None]
        sides = {self._side(row, column) for column in given}
        if len(sides) == 2:
            return Reason.LABELS_DISAGREE
        return sides.pop() if sides else Reason.UNRATED

    def _side(self, row: Row, column: str) -> Winner:
        number = number_of(row[column])
        if number == self.base + 0.5 or (self.base == 1 and number == 0):
            return Reason.TIE
        if self.base == 1 and number is not None and 1 < number < 2:
            return int(number > 1.5)
        if number not in (self.base, self.base + 1):
            raise UnusableRow(column, row[column], f"{self.base} or {self.base + 1}, the response that was preferred")
        return int(number - self.base)


@dataclass(frozen=True)
class FirstIfOne(_OneColumn):
    """1 if the first response is better, 0 if the second is."""

    def winner(self, row: Row) -> Winner:
        """Who wins. Raises UnusableRow."""
        number = number_of(row[self.column])
        if number is None:
            return Reason.UNRATED
        if number == 0.5:
            return Reason.TIE
        if number not in (0, 1):
            raise UnusableRow(self.column, row[self.column], "1 if the first response is better, else 0")
        return int(number == 0)


@dataclass(frozen=True)
class Sign(_OneColumn):
    """A strength: below 0 the first response is better, above 0 the second, 0 is a tie."""

    def winner(self, row: Row) -> Winner:
        """Who wins. Raises UnusableRow."""
        number = number_of(row[self.column])
        if number is None:
            if row[self.column] in (None, ""):
                return Reason.UNRATED
            raise UnusableRow(self.column, row[self.column], "a number, below 0 if the first response is better")
        return Reason.TIE if number == 0 else int(number > 0)


@dataclass(frozen=True)
class OneEach:
    """A column each that is 1 if the first response won, the second did, or there was a tie."""

    first: str
    second: str
    ties: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.first, self.second, *self.ties)

    def winner(self, row: Row) -> Winner:
        """Who wins. Raises UnusableRow."""
        marks = [number_of(row[column]) == 1 for column in (self.first, self.second)]
        if any(number_of(row.get(column)) == 1 for column in self.ties):
            return Reason.TIE
        if all(marks):
            raise UnusableRow(self.second, row[self.second], f"0 if {self.first} is 1")
        return int(marks[1]) if any(marks) else Reason.UNRATED


@dataclass(frozen=True)
class Scores:
    """A score each; the higher one wins, equal ones are a tie."""

    first: str
    second: str

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.first, self.second)

    def winner(self, row: Row) -> Winner:
        """Who wins. Raises UnusableRow."""
        a, b = number_of(row[self.first]), number_of(row[self.second])
        if a is None or b is None:
            return Reason.UNRATED
        return Reason.TIE if a == b else int(b > a)


Verdict = Named | Index | FirstIfOne | Sign | OneEach | Scores
