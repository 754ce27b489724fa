"""Which data set a file is, by its columns and what they hold: one that is known by name, or a general form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from pipeline.data_sets import known, labels, names
from pipeline.data_sets.cells import number_of, opened
from pipeline.data_sets.conversations import from_text, is_conversation, is_message
from pipeline.data_sets.forms import Sides, Votes
from pipeline.data_sets.known import DATA_SETS, DataSet, Form
from pipeline.data_sets.names import Names, Two
from pipeline.data_sets.pairs import Row
from pipeline.data_sets.prompts import PromptColumns
from pipeline.data_sets.ranked import Ranked, Rated
from pipeline.data_sets.tables import Table
from pipeline.data_sets.verdicts import Index, Named, OneEach, Scores, Sign, Verdict, winner_by_name
from pipeline.errors import InvalidDataSet

GENERAL: Mapping[str, str] = {
    "messages": "TRL and others: chosen and rejected as messages, with the prompt in them or beside them",
    "sharegpt": "LLaMA-Factory: `conversations` and a chosen and a rejected message",
    "alpaca": "LLaMA-Factory: `instruction`, `input`, and chosen and rejected, or both in the list `output`",
    "ms-swift": "`messages` with the chosen response and `rejected_response` or `rejected_messages`",
    "distilabel": "`chosen_response` and `rejected_response`, or `generations` with `ratings`",
    "own": "prompt, chosen and rejected as texts or messages, under any common name",
    "votes": "two responses and which is better, under any common names",
    "ranked": "several responses to a prompt with scores or ranks",
    "rated": "one response a row with its score; rows of one prompt are paired",
}
"""Forms that are recognised by what columns are called and hold, and who writes them."""

_HEAD_ROWS = 64
_UNTYPED = (".csv", ".tsv", ".txt")
"""Files in which a list of texts can only be written as text."""


@dataclass(frozen=True)
class Reading:
    """How a table is read. `encoded` columns hold lists or objects as text; `left_out` are not read at all.

    Messages that a text encodes are messages in any column.
    """

    name: str
    form: Form
    prompt: PromptColumns
    labels: labels.LabelColumns
    columns: tuple[str, ...]
    encoded: frozenset[str]
    left_out: tuple[str, ...]

    def rows(self, table: Table) -> Iterator[Row]:
        """The rows of the columns that are read, lists and objects as such."""
        for row in table.rows(self.columns):
            yield {name: opened(cell) if name in self.encoded else _messages(cell) for name, cell in row.items()}


def _messages(cell: object) -> object:
    value = opened(cell)
    return value if is_conversation(value) else cell


class _Head:
    """The first rows of a table."""

    def __init__(self, table: Table) -> None:
        self.columns = table.columns
        self.names = Names(table.columns)
        self._paths = table.paths
        self._rows = list(table.rows(table.columns, _HEAD_ROWS))
        suffixes = [suffix.lower() for suffix in PurePath(table.name).suffixes]
        self._typed = not any(suffix in _UNTYPED for suffix in suffixes)

    def source(self, column: str) -> str:
        """The file's own column in which a column is."""
        return self._paths[column].column

    def first(self, column: str) -> object:
        """The first cell that is not empty, as it is."""
        return next((row[column] for row in self._rows if row[column] not in (None, "")), None)

    def cells(self, column: str) -> list[object]:
        """The cells that are not empty, lists and objects as such if the column encodes them."""
        cells = [row[column] for row in self._rows if row[column] not in (None, "")]
        return [opened(cell) for cell in cells] if self.encodes(column) else cells

    def holds(self, cell: object, kind: str) -> bool:
        """Whether the cell is what a column of this kind holds."""
        if kind == known.TEXT:
            return isinstance(cell, str) and not is_conversation(opened(cell))
        if kind == known.MARKED:
            return isinstance(cell, str) and bool(from_text(cell))
        return _KINDS[kind](cell if kind == known.TEXTS and self._typed else opened(cell))

    def encodes(self, column: str) -> bool:
        """Whether every text of the column is a list or object in which responses or prompts can be."""
        texts = [row[column] for row in self._rows if isinstance(row[column], str) and row[column].strip()]
        return bool(texts) and all(self._is_structure(opened(text)) for text in texts)

    def _is_structure(self, cell: object) -> bool:
        if isinstance(cell, dict):
            return is_message(cell) or "messages" in cell
        if not isinstance(cell, list) or not cell:
            return isinstance(cell, list)
        return not self._typed or all(isinstance(part, dict | list) for part in cell)


def reading_of(table: Table, name: str | None = None) -> Reading:
    """How to read a table: as the named data set, or as the one whose columns it has.

    Raises InvalidDataSet for an unknown name, a table that is not the named one, or one that is none of them.
    """
    head = _Head(table)
    if name is not None:
        return _reading(head, _named(table, head, name))
    data_set = next((data_set for data_set in DATA_SETS if _misfit(head, data_set) is None), None) or _general(head)
    if data_set is None:
        raise InvalidDataSet(f"{table.name}: columns {list(table.columns)} match no known data set; {_missing(head)}")
    return _reading(head, data_set)


def _named(table: Table, head: _Head, name: str) -> DataSet:
    data_set = next((data_set for data_set in DATA_SETS if data_set.name == name), None)
    if data_set is not None:
        misfit = _misfit(head, data_set)
    elif name in GENERAL:
        data_set = _general(head)
        misfit = _general_misfit(head, data_set, name)
    else:
        raise InvalidDataSet(
            f"data set {name!r} is unknown; use one of {[*(data_set.name for data_set in DATA_SETS), *GENERAL]}"
        )
    if misfit is not None or data_set is None:
        raise InvalidDataSet(f"{table.name} is not {name}: {misfit}; leave the name out to recognise it by its columns")
    return replace(data_set, name=name, labels=labels.OWN) if name == "own" else data_set


def _general_misfit(head: _Head, data_set: DataSet | None, name: str) -> str | None:
    if data_set is None:
        return _missing(head)
    if data_set.name == name or (name == "own" and isinstance(data_set.form, Sides)):
        return None
    if name == "messages" and isinstance(data_set.form, Sides):
        return f"column {data_set.form.chosen} holds {head.first(data_set.form.chosen)!r:.40}, expected messages"
    return f"it has the columns of {data_set.name}"


def _misfit(head: _Head, data_set: DataSet) -> str | None:
    """Why a table is not this data set; None if it is."""
    for column in data_set.needs:
        if column not in head.columns:
            return f"it has no column {column}"
    if data_set.one_of and not set(data_set.one_of) & set(head.columns):
        return f"it has none of the columns {', '.join(data_set.one_of)}"
    for column in data_set.absent:
        if column in head.columns:
            return f"it has column {column}"
    for column, kind in data_set.needs.items():
        first = head.first(column)
        if first is not None and not head.holds(first, kind):
            return f"column {column} holds {first!r:.40}, expected {kind}"
    return None


_KINDS: Mapping[str, Callable[[object], bool]] = {
    known.ANY: lambda cell: True,
    known.OBJECT: lambda cell: isinstance(cell, dict),
    known.OBJECTS: lambda cell: isinstance(cell, list) and all(isinstance(part, dict) for part in cell),
    known.TEXTS: lambda cell: _are_texts(cell),
    known.ENCODED: lambda cell: _are_texts(cell),
    known.MESSAGES: lambda cell: cell == [] or is_conversation(cell),
}


def _are_texts(cell: object) -> bool:
    return isinstance(cell, list) and all(part is None or isinstance(part, str) for part in cell)


def _reading(head: _Head, data_set: DataSet) -> Reading:
    form = data_set.form
    if isinstance(form, Sides):
        form = replace(form, scores=head.names.side_scores())
    elif isinstance(form, Votes) and form.scores is not None and not set(form.scores) <= set(head.columns):
        form = replace(form, scores=None)
    prompt = data_set.prompt or _prompt_columns(head, form.columns)
    if prompt.extra is not None and prompt.extra not in head.columns:
        prompt = replace(prompt, extra=None)
    if prompt.system is None:
        prompt = replace(prompt, system=head.names.first(names.SYSTEMS))
    needed = (*prompt.columns, *form.columns, *data_set.labels.columns)
    columns = tuple(dict.fromkeys(column for column in needed if column in head.columns))
    declared = {column for column, kind in data_set.needs.items() if kind not in (known.ANY, known.TEXT, known.MARKED)}
    encoded = frozenset(column for column in columns if column in declared or head.encodes(column))
    used = {head.source(column) for column in columns}
    left_out = tuple(column for column in head.columns if column not in columns and column not in used)
    return Reading(data_set.name, form, prompt, data_set.labels, columns, encoded, left_out)


# General forms --------------------------------------------------------------------------------------------------------


def _prompt_columns(head: _Head, used: Sequence[str]) -> PromptColumns:
    prompt = head.names.first(names.PROMPTS, used)
    system = head.names.first(names.SYSTEMS, used)
    extra = next(
        (
            column
            for column in head.names.all(names.EXTRAS, (*used, prompt))
            if any(isinstance(cell, str) for cell in head.cells(column))
        ),
        None,
    )
    history = head.names.first(names.HISTORIES, (*used, prompt))
    if history is not None and not any(isinstance(cell, list) for cell in head.cells(history)):
        history = None
    return PromptColumns(prompt, system, extra if prompt is not None else None, history)


def _general(head: _Head) -> DataSet | None:
    sides = head.names.sides()
    if sides is not None:
        numbers = all(isinstance(cell, int) for column in sides[:2] for cell in head.cells(column))
        within = head.names.first(names.LISTS) if numbers else None
        return _data_set(_name_of_sides(head, sides), Sides(sides.first, sides.second, within=within))
    output = head.names.first(("output",))
    outputs = [] if output is None or head.names.first(names.LIST_SCORES) else head.cells(output)
    if output is not None and outputs and all(_several_texts(cell) for cell in outputs):
        return _data_set("alpaca", Sides(output, rejected=None))
    two = head.names.two()
    verdict = None if two is None or head.names.numbered() else _verdict(head, two)
    if two is not None and verdict is not None:
        scores = head.names.scores_of_two(two)
        return _data_set(
            "votes", Votes(two.first, two.second, verdict, (scores.first, scores.second) if scores else None)
        )
    return _ranked(head) or _rated(head)


def _data_set(name: str, form: Form) -> DataSet:
    return DataSet(
        name, "", {}, form, labels=labels.OWN if name in ("own", "votes", "ranked", "rated") else labels.GIVEN
    )


def _several_texts(cell: object) -> bool:
    return isinstance(cell, list) and len(cell) > 1 and all(isinstance(part, str) for part in cell)


def _name_of_sides(head: _Head, sides: Two) -> str:
    first = names.plain(sides.first)
    if first == "messages":
        return "ms-swift"
    prompt = names.plain(head.names.first(names.PROMPTS, sides) or "")
    if prompt == "conversations":
        return "sharegpt"
    if first == "chosen_response":
        return "distilabel"
    if all(is_conversation(cell) or is_message(cell) for cell in head.cells(sides.first)[:1]) and head.cells(
        sides.first
    ):
        return "messages"
    return "alpaca" if prompt == "instruction" else "own"


def _verdict(head: _Head, two: Two) -> Verdict | None:
    winners = head.names.winners_of_two()
    if winners is not None:
        return OneEach(*winners)
    for column in head.names.all(names.VERDICTS):
        verdict = _verdict_in(head.cells(column), column, two.end)
        if verdict is not None:
            return verdict
    scores = head.names.scores_of_two(two)
    return None if scores is None else Scores(scores.first, scores.second)


def _verdict_in(cells: Sequence[object], column: str, end: str) -> Verdict | None:
    """What the cells of a column say of two responses whose names end as `end`; None if nothing, or two things."""
    numbers = [number for cell in cells if (number := number_of(cell)) is not None]
    if not cells or len(numbers) < len(cells):
        texts = [winner_by_name(str(cell)) for cell in cells if number_of(cell) is None]
        return Named(column) if texts and sum(text is not None for text in texts) * 2 > len(texts) else None
    if min(numbers) < 0:
        return Sign(column) if "strength" in column.lower() or "overall" in column.lower() else None
    if end == "0":
        return Index((column,), 0) if set(numbers) <= {0, 0.5, 1} else None
    return Index((column,), 1) if max(numbers) == 2 and set(numbers) <= {0, 1, 1.5, 2} else None


def _ranked(head: _Head) -> DataSet | None:
    numbered = head.names.numbered()
    for responses in ([numbered] if numbered else []) + [(column,) for column in head.names.all(names.LISTS)]:
        scores = head.names.first(names.LIST_SCORES, responses)
        ranks = head.names.first(names.LIST_RANKS, responses)
        beside = scores or ranks
        if beside is not None and all(isinstance(cell, list) for cell in head.cells(beside)):
            name = "distilabel" if responses == ("generations",) else "ranked"
            return _data_set(name, Ranked(responses, scores=beside, lowest_is_best=scores is None))
        objects = [part for cell in head.cells(responses[0]) if isinstance(cell, list) for part in cell]
        keys = {key for part in objects if isinstance(part, dict) for key in part}
        for options, lowest in ((names.SCORE_KEYS, False), (names.RANK_KEYS, True)):
            present = tuple(key for key in options if key in keys)
            if present and len(responses) == 1:
                return _data_set("ranked", Ranked(responses, keys=present, lowest_is_best=lowest))
    return None


def _rated(head: _Head) -> DataSet | None:
    response, rating = head.names.first(names.RESPONSES), head.names.first(names.RATINGS)
    prompt = head.names.first(names.PROMPTS, (response, rating))
    if response is None or rating is None or prompt is None:
        return None
    if any(number_of(cell) is None for cell in head.cells(rating)):
        return None
    return _data_set("rated", Rated(response, rating))


def _missing(head: _Head) -> str:
    """What a table lacks to be read."""
    two = head.names.two()
    if two is not None:
        for column in head.names.all(names.VERDICTS):
            if all(number_of(cell) in (-1, 0, 1) for cell in head.cells(column)):
                return f"1 in {column} may mean either response: write model_a, model_b or tie in it"
        return (
            f"it has two responses, {two.first} and {two.second}, but no column that says which is better: add "
            "winner with model_a, model_b or tie"
        )
    return "give prompt, chosen and rejected as texts or messages, or say with --map prompt=…,chosen=… what they are"
