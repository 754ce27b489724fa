"""Every data set that can be read, and which one a file is: by its columns and what is in them.

The training mix of the paper (arXiv 2410.05584): Nectar, Capybara-7K-binarized, Orca pairs, UltraFeedback,
PKU-SafeRLHF, MT-Bench's human judgments, Chatbot Arena, HH-RLHF. The test sets: RewardBench, RewardBench 2, RM-Bench.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.data_sets.conversations import arena, capybara, hh_rlhf, message_pairs, ultrafeedback_binarized
from pipeline.data_sets.pair import Candidate, Row
from pipeline.data_sets.ranked import nectar, ultrafeedback
from pipeline.data_sets.tables import Table
from pipeline.data_sets.test_sets import rewardbench, rewardbench_2, rm_bench
from pipeline.data_sets.texts import orca, orca_argilla, own, safe_rlhf
from pipeline.errors import InvalidDataSet
from warehouse.exchange.sheet import as_list

Convert = Callable[[Row, int, np.random.Generator], Iterable[Candidate]]
"""(row, most pairs of one prompt's ranked responses, rng) → its candidate pairs."""

_ANY, _TEXT, _TEXTS, _OBJECTS, _MESSAGES = "anything", "a text", "a list of texts", "a list of objects", "messages"
_LISTED = (_TEXTS, _OBJECTS, _MESSAGES)
_HEAD_ROWS = 64


@dataclass(frozen=True)
class DataSet:
    """One schema. `needs` maps columns to what they hold, `may` names further ones that are read, `lacks` ones that
    would make it another data set."""

    name: str
    convert: Convert
    needs: Mapping[str, str]
    may: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def columns(self, table: Table) -> tuple[str, ...]:
        """The columns to read of a table that fits."""
        return tuple(name for name in (*self.needs, *self.may) if name in table.columns)

    def decoded(self, row: Row) -> Row:
        """The row with lists where a text format has them as text."""
        for column, kind in self.needs.items():
            if kind in _LISTED and isinstance(row[column], str):
                row[column] = as_list(row[column])
        return row

    def misfit(self, table: Table) -> str | None:
        """What keeps the table from being this data set; None if nothing does."""
        for column in self.needs:
            if column not in table.columns:
                return f"it has no column {column}"
        for column in self.lacks:
            if column in table.columns:
                return f"it has column {column}"
        head = list(table.rows(tuple(self.needs), _HEAD_ROWS))
        for column, kind in self.needs.items():
            first = next((row[column] for row in head if row[column] is not None), None)
            if first is not None and not _holds(first, kind):
                return f"column {column} holds {first!r:.40}, wanted {kind}"
        return None


def _holds(cell: object, kind: str) -> bool:
    if kind == _ANY:
        return True
    if kind == _TEXT:
        return isinstance(cell, str)
    listed = as_list(cell) if isinstance(cell, str) else cell
    if not isinstance(listed, list):
        return False
    if kind == _TEXTS:
        return all(isinstance(text, str) for text in listed)
    objects = all(isinstance(item, dict) for item in listed)
    return objects and (kind == _OBJECTS or all({"role", "content"} <= set(item) for item in listed))


_SIDES = ("chosen", "rejected")
_VOTES = {"conversation_a": _MESSAGES, "conversation_b": _MESSAGES, "winner": _TEXT, "turn": _ANY}
_TEXT_SIDES, _LIST_SIDES, _MESSAGE_SIDES = (dict.fromkeys(_SIDES, kind) for kind in (_TEXT, _TEXTS, _MESSAGES))
_ASKED = {"prompt": _TEXT}
_RATED = {"rating_chosen": _ANY, "rating_rejected": _ANY}
_SCORED = {"score_chosen": _ANY, "score_rejected": _ANY}
_RESPONSES = {"response_0": _TEXT, "response_1": _TEXT, "better_response_id": _ANY}

DATA_SETS = (
    DataSet("nectar", nectar, _ASKED | {"answers": _OBJECTS}),
    DataSet("ultrafeedback", ultrafeedback, {"instruction": _TEXT, "completions": _OBJECTS}),
    DataSet("pku-saferlhf", safe_rlhf, _ASKED | _RESPONSES, ("safer_response_id",)),
    DataSet("chatbot-arena", arena, _VOTES | {"tstamp": _ANY}),
    DataSet("mt-bench-human", arena, _VOTES),
    DataSet("capybara", capybara, _MESSAGE_SIDES | _RATED),
    DataSet("ultrafeedback-binarized", ultrafeedback_binarized, _MESSAGE_SIDES | _SCORED),
    DataSet("messages", message_pairs, _MESSAGE_SIDES),
    DataSet("rewardbench-2", rewardbench_2, _ASKED | _LIST_SIDES | {"subset": _TEXT, "num_correct": _ANY}),
    DataSet("rm-bench", rm_bench, _ASKED | _LIST_SIDES, ("subset", "domain")),
    DataSet("rewardbench", rewardbench, _ASKED | _TEXT_SIDES | {"subset": _TEXT, "chosen_model": _ANY}),
    DataSet("orca", orca, {"question": _TEXT} | _TEXT_SIDES, ("system",)),
    DataSet("orca-argilla", orca_argilla, {"input": _TEXT} | _TEXT_SIDES, ("system", "status"), ("prompt",)),
    DataSet("hh-rlhf", hh_rlhf, _TEXT_SIDES, (), ("prompt",)),
    DataSet("own", own, _ASKED | _TEXT_SIDES, ("category", "subset", "source")),
)
"""In the order in which they are tried: the first that fits is it."""


def data_set_of(table: Table, name: str | None = None) -> DataSet:
    """The data set that the table is, or the named one.

    Raises InvalidDataSet for an unknown name, a table that is not the named one, or one that is none of them.
    """
    if name is None:
        for known in DATA_SETS:
            if known.misfit(table) is None:
                return known
        raise InvalidDataSet(
            f"{table.name}: got columns {list(table.columns)}, which are no known data set's; give prompt, chosen and "
            "rejected as texts, or one of the hub's files as it is"
        )
    named = next((known for known in DATA_SETS if known.name == name), None)
    if named is None:
        raise InvalidDataSet(f"data set {name!r} is unknown; use one of {[known.name for known in DATA_SETS]}")
    misfit = named.misfit(table)
    if misfit is not None:
        raise InvalidDataSet(f"{table.name}: no {name}, as {misfit}; leave the name out to have it told by the columns")
    return named
