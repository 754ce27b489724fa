"""Every data set that can be read, and which one a file is: recognised by its columns and what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.data_sets import converters as convert
from pipeline.data_sets.pairs import Candidate, Row
from pipeline.data_sets.tables import Table
from pipeline.errors import InvalidDataSet
from warehouse.exchange.sheet import as_list

_ANY, _TEXT, _TEXTS, _OBJECTS, _MESSAGES = "anything", "a text", "a list of texts", "a list of objects", "messages"
_HEAD_ROWS = 64


@dataclass(frozen=True)
class DataSet:
    """One schema: `required` maps columns to what they hold, `optional` are read where they exist, and a table with an
    `absent` column is another data set. Of `ranked` responses to a prompt only some pairs are drawn."""

    name: str
    convert: Callable[[Row], Iterator[Candidate]]
    required: Mapping[str, str]
    optional: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    ranked: bool = False

    def candidates(self, row: Row) -> list[Candidate]:
        """The candidate pairs of a row; lists may be written as text, as CSV has them. Raises WrongCell."""
        for column, kind in self.required.items():
            if kind not in (_ANY, _TEXT) and isinstance(row[column], str):
                row[column] = as_list(row[column])
        return list(self.convert(row))

    def columns(self, table: Table) -> tuple[str, ...]:
        """The columns to read of a table that fits."""
        return tuple(name for name in (*self.required, *self.optional) if name in table.columns)

    def misfit(self, table: Table) -> str | None:
        """Why the table is not this data set; None if it is."""
        for column in self.required:
            if column not in table.columns:
                return f"it has no column {column}"
        for column in self.absent:
            if column in table.columns:
                return f"it has column {column}"
        head = list(table.rows(tuple(self.required), _HEAD_ROWS))
        for column, kind in self.required.items():
            first = next((row[column] for row in head if row[column] is not None), None)
            if first is not None and not _holds(first, kind):
                return f"column {column} holds {first!r:.40}, expected {kind}"
        return None


def _holds(cell: object, kind: str) -> bool:
    if kind in (_ANY, _TEXT):
        return kind == _ANY or isinstance(cell, str)
    listed = as_list(cell) if isinstance(cell, str) else cell
    if not isinstance(listed, list):
        return False
    if kind == _TEXTS:
        return all(isinstance(text, str) for text in listed)
    objects = all(isinstance(item, dict) for item in listed)
    return objects and (kind == _OBJECTS or all({"role", "content"} <= set(item) for item in listed))


_PROMPT = {"prompt": _TEXT}
_TEXT_SIDES, _LIST_SIDES, _MESSAGE_SIDES = ({"chosen": kind, "rejected": kind} for kind in (_TEXT, _TEXTS, _MESSAGES))
_RATED = {"rating_chosen": _ANY, "rating_rejected": _ANY}
_SCORED = {"score_chosen": _ANY, "score_rejected": _ANY}
_RESPONSES = {"response_0": _TEXT, "response_1": _TEXT, "better_response_id": _ANY}
_VOTES = {"conversation_a": _MESSAGES, "conversation_b": _MESSAGES, "winner": _TEXT, "turn": _ANY}

DATA_SETS = (
    DataSet("nectar", convert.nectar, _PROMPT | {"answers": _OBJECTS}, ranked=True),
    DataSet("ultrafeedback", convert.ultrafeedback, {"instruction": _TEXT, "completions": _OBJECTS}, ranked=True),
    DataSet("pku-saferlhf", convert.safe_rlhf, _PROMPT | _RESPONSES, ("safer_response_id",)),
    DataSet("chatbot-arena", convert.arena, _VOTES | {"tstamp": _ANY}),
    DataSet("mt-bench-human", convert.arena, _VOTES),
    DataSet("capybara", convert.message_pairs, _MESSAGE_SIDES | _RATED),
    DataSet("ultrafeedback-binarized", convert.message_pairs, _MESSAGE_SIDES | _SCORED),
    DataSet("messages", convert.message_pairs, _MESSAGE_SIDES),
    DataSet("rewardbench-2", convert.rewardbench_2, _PROMPT | _LIST_SIDES | {"subset": _TEXT, "num_correct": _ANY}),
    DataSet("rm-bench", convert.rm_bench, _PROMPT | _LIST_SIDES, ("subset", "domain")),
    DataSet("rewardbench", convert.rewardbench, _PROMPT | _TEXT_SIDES | {"subset": _TEXT, "chosen_model": _ANY}),
    DataSet("orca", convert.orca, {"question": _TEXT} | _TEXT_SIDES, ("system",)),
    DataSet("orca-argilla", convert.orca, {"input": _TEXT} | _TEXT_SIDES, ("system", "status"), absent=("prompt",)),
    DataSet("hh-rlhf", convert.hh_rlhf, _TEXT_SIDES, absent=("prompt",)),
    DataSet("own", convert.own, _PROMPT | _TEXT_SIDES, ("category", "subset", "source")),
)
"""In the order in which they are tried; the first that fits is used."""


def data_set_of(table: Table, name: str | None = None) -> DataSet:
    """The named data set, or the one whose columns the table has.

    Raises InvalidDataSet for an unknown name, a table that is not the named one, or one that is none of them.
    """
    if name is None:
        known = next((known for known in DATA_SETS if known.misfit(table) is None), None)
        if known is None:
            raise InvalidDataSet(
                f"{table.name}: columns {list(table.columns)} match no known data set; give prompt, chosen and "
                "rejected as texts, or one of the hub's files unchanged"
            )
        return known
    named = next((known for known in DATA_SETS if known.name == name), None)
    if named is None:
        raise InvalidDataSet(f"data set {name!r} is unknown; use one of {[known.name for known in DATA_SETS]}")
    if (misfit := named.misfit(table)) is not None:
        raise InvalidDataSet(f"{table.name} is not {name}: {misfit}; leave the name out to recognise it by its columns")
    return named
