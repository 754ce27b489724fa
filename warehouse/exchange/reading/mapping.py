"""What a file's columns are, as the user says it: `prompt_id=question_id,response_id=model`, applied before anything is
recognised. A path with dots leads into objects and lists: `prompt_id=meta.id`, `score=scores.0`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import polars as pl

from warehouse.exchange.reading.columns import series_of
from warehouse.exchange.sheet import Sheet, invalid, shown
from warehouse.formats import names_in

NAMES = (
    *("prompt_id", "response_id", "prompt", "response", "reward_model", "score", "label"),
    *("category", "subset", "split", "id", "model", "source", "system"),
    *("chosen", "rejected", "text_chosen", "text_rejected", "score_chosen", "score_rejected"),
    *("responses", "scores", "winner", "response_a", "response_b", "score_a", "score_b"),
    *("messages", "rating", "rank", "preference_id"),
    *("optimizer", "strength", "golden", "value", "policy_id", "kl"),
)
"""What a column can be."""


@dataclass(frozen=True)
class ColumnMap:
    """`sources`: for each name the column, or the path, that holds it. `scorers`: columns that are scorers although
    their names do not say so; with `only`, no other column is one."""

    sources: Mapping[str, str] = field(default_factory=dict)
    scorers: tuple[str, ...] = ()
    only: bool = False

    def __bool__(self) -> bool:
        return bool(self.sources or self.scorers)


def parsed(text: str | None, scorers: str | None = None) -> ColumnMap:
    """`NAME=COLUMN,…` and a list of scorers as a map; `NAME=NAME` makes a column a scorer if it can be nothing else.

    Raises InvalidRows for unknown and repeated names.
    """
    sources: dict[str, str] = {}
    also: list[str] = []
    for part in names_in(text):
        name, equals, path = (side.strip() for side in part.partition("="))
        if not equals or not name or not path:
            raise invalid(f"--map: got {shown(part)}; write NAME=COLUMN, such as prompt_id=question_id")
        if name in sources or name in also:
            raise invalid(f"--map: {name} is given twice; say once what it is")
        if name in NAMES:
            sources[name] = path
        elif name == path:
            also.append(name)
        else:
            names = ", ".join(NAMES)
            raise invalid(f"--map: unknown name {shown(name)}; use one of {names}, or {path}={path} for a scorer")
    chosen = list(names_in(scorers))
    return ColumnMap(sources, tuple(dict.fromkeys([*also, *chosen])), only=bool(chosen))


class ColumnPath(NamedTuple):
    """A column and the keys that lead into its objects."""

    column: str
    keys: tuple[str, ...]


def path_in(columns: Collection[str], path: str) -> ColumnPath | None:
    """Where a path leads in these columns; a column with dots in its own name comes first; None if nowhere."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        column = ".".join(parts[:count])
        if column in columns:
            return ColumnPath(column, tuple(parts[count:]))
    return None


def value_at(cell: Any, keys: Iterable[str]) -> Any:
    """What the keys lead to in a cell, whose objects may be JSON text; None if nothing."""
    for key in keys:
        if isinstance(cell, str) and cell.lstrip()[:1] in ("{", "["):
            try:
                cell = json.loads(cell)
            except (ValueError, RecursionError):
                return None
        if isinstance(cell, dict):
            cell = cell.get(key)
        elif isinstance(cell, list) and key.isdecimal() and int(key) < len(cell):
            cell = cell[int(key)]
        else:
            return None
    return cell


def mapped(sheets: Sequence[Sheet], columns: ColumnMap) -> list[Sheet]:
    """The sheets with their columns under the names that the user gave; each has to be in one file or more.

    Raises InvalidRows, naming the columns of the files.
    """
    known = list(dict.fromkeys(column for sheet in sheets for column in sheet.frame.columns))
    for name, path in {**columns.sources, **{name: name for name in columns.scorers}}.items():
        if all(path_in(sheet.frame.columns, path) is None for sheet in sheets):
            option = f"--scorers {name}" if columns.only and name not in columns.sources else f"--map {name}={path}"
            raise invalid(f"{option}: no file has column {shown(path)}; the columns are {', '.join(known)}")
    return [_mapped(sheet, columns) for sheet in sheets]


def _mapped(sheet: Sheet, columns: ColumnMap) -> Sheet:
    frame = sheet.frame
    places = {name: path_in(frame.columns, path) for name, path in columns.sources.items()}
    paths = {name: place for name, place in places.items() if place is not None}
    given = {}
    for name, (column, keys) in paths.items():
        values = frame[column]
        if keys:
            cells = [value_at(cell, keys) for cell in values.to_list()]
            if all(cell is None for cell in cells):
                raise invalid(f"{sheet.name}, column {column}: no row has {'.'.join(keys)} in it; check --map {name}=…")
            values = series_of(cells)
        given[name] = values.rename(name)
    renamed = [place.column for place in paths.values() if not place.keys]
    others = [column for column in frame if column.name not in renamed and column.name not in given]
    notes = tuple(
        f"{sheet.name}: column {name} is left out, since --map says that {columns.sources[name]} is it"
        for name in frame.columns
        if name in given and name not in renamed
    )
    frame = pl.DataFrame([*given.values(), *others])
    scorers = tuple(name for name in columns.scorers if name in frame.columns)
    return replace(
        sheet, frame=frame, notes=sheet.notes + notes, scorers=scorers, only_scorers=columns.only and bool(scorers)
    )
