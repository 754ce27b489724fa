"""The rows of a table as candidate pairs, a row at a time, or the rows of a prompt where each holds one response.

A row that cannot be used is a reason to be counted, with an example; it never stops the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.data_sets.conversations import prompt_text
from pipeline.data_sets.pairs import Candidate, Pair, Reason, Row, UnusableRow
from pipeline.data_sets.ranked import Rated, RatedPrompt
from pipeline.data_sets.recognise import Reading
from pipeline.data_sets.tables import Table


class Unit(NamedTuple):
    """What became of some rows: their candidates, or a reason and an example of it."""

    rows: int
    candidates: list[Candidate]
    example: str | None = None


def units(table: Table, reading: Reading) -> Iterator[Unit]:
    """All rows of a table; those of one prompt together if they are rated one by one."""
    if isinstance(reading.form, Rated):
        yield from _gathered(table, reading, reading.form)
        return
    for number, row in enumerate(reading.rows(table), 1):
        try:
            candidates = list(reading.form.candidates(row, reading.prompt.prompt_of(row)))
            yield Unit(1, [_labelled(candidate, reading, row) for candidate in candidates] or [Reason.EMPTY])
        except UnusableRow as error:
            yield Unit(1, [error.reason], f"row {number}, {error}")


def _gathered(table: Table, reading: Reading, form: Rated) -> Iterator[Unit]:
    prompts: dict[str, tuple[RatedPrompt, Row]] = {}
    for number, row in enumerate(reading.rows(table), 1):
        try:
            prompt = reading.prompt.prompt_of(row)
            if prompt is None or not prompt.messages:
                yield Unit(1, [Reason.EMPTY])
                continue
            rated, _ = prompts.setdefault(prompt_text(prompt.messages).strip(), (RatedPrompt(prompt), row))
            rated.responses.append(form.rated(row))
        except UnusableRow as error:
            yield Unit(1, [error.reason], f"row {number}, {error}")
    for rated, row in prompts.values():
        candidates = [_labelled(candidate, reading, row) for candidate in rated.candidates()]
        if rated.responses:
            yield Unit(len(rated.responses), candidates)


def _labelled(candidate: Candidate, reading: Reading, row: Row) -> Candidate:
    if isinstance(candidate, Reason):
        return candidate
    category, subset, source = reading.labels.of(row)
    return Pair(candidate.prompt, candidate.chosen, candidate.rejected, category, subset, source)
