"""The rows in one JSON value: a list of objects, an object of columns, pandas' orients, also wrapped in an object.

pandas' `to_json` (orient): `columns` (default) and `index` are objects of objects, `split` has `columns, index, data`,
`table` has `schema, data`, `records` is a list of objects and `values` a list of lists, without names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from warehouse.exchange.reading.columns import Columns
from warehouse.exchange.reading.mapping import NAMES
from warehouse.exchange.sheet import Sheet, broken, invalid, shown


def rows_of(name: str, value: Any) -> Sheet:
    """The rows. Raises InvalidRows for a value of another shape."""
    columns, notes = Columns(name), []
    if isinstance(value, list):
        if value and all(isinstance(row, list) for row in value):
            _add_lists(columns, name, _header(value), value)
            notes.append(f"{name}: the rows are lists without names: their columns are {_example(value)}")
        else:
            columns.add_items(_objects(name, value))
        return columns.sheet(notes=notes)
    if not isinstance(value, dict):
        raise invalid(f"{name}: got {shown(value)}; wanted a list of objects")
    return _of_object(name, value)


def _of_object(name: str, value: dict[str, Any]) -> Sheet:
    columns = Columns(name)
    if _are_texts(value.get("columns")) and _are_lists(value.get("data")):  # split
        _add_lists(columns, name, value["columns"], value["data"])
        return columns.sheet()
    lists = {key: cells for key, cells in value.items() if isinstance(cells, list)}
    if _are_of_hub(lists.get("rows")):
        return rows_of(name, [item["row"] for item in lists["rows"]])
    if isinstance(value.get("schema"), dict) and isinstance(value.get("data"), list):  # table
        return _of_table(name, value["schema"], value["data"])
    rows = [key for key, cells in lists.items() if cells and all(isinstance(cell, dict) for cell in cells)]
    if rows and len(rows) == len(lists):
        return _of_wrapped(name, value, rows)
    objects = [cells for cells in value.values() if isinstance(cells, dict)]
    if len(objects) == len(value) > 1 and len({frozenset(cells) for cells in objects}) == 1:
        return _of_objects(name, value)
    if not lists and len(objects) == 1:  # wrapped: the rows are in the one object
        return _with_facts(rows_of(name, objects[0]), value)
    if not lists:
        columns.add_items([value])
        return columns.sheet()
    lengths = {len(cells) for cells in lists.values()}
    if len(lengths) != 1:
        raise invalid(f"{name}: got an object with lists of lengths {sorted(lengths)}; the columns have one length")
    return _of_columns(name, value, *lengths)


def _of_columns(name: str, value: dict[str, Any], length: int) -> Sheet:
    """Lists of one length, and constants beside them, as RewardBench saves its scores."""
    columns = Columns(name)
    columns.add({key: cells if isinstance(cells, list) else [cells] * length for key, cells in value.items()}, length)
    return columns.sheet()


def _of_wrapped(name: str, value: dict[str, Any], keys: list[str]) -> Sheet:
    """Rows under a name, with facts beside them: texts, such as the model's name, are of all rows."""
    lengths = {len(value[key]) for key in keys}
    if len(keys) > 1 and len(lengths) == 1:  # columns of objects
        return _of_columns(name, value, *lengths)
    if len(keys) > 1:
        raise invalid(f"{name}: got rows under several names, {keys}; give each as a file of its own")
    items = _objects(name, value[keys[0]])
    columns = Columns(name)
    columns.add_items(items)
    return _with_facts(columns.sheet(), value)


def _with_facts(sheet: Sheet, value: dict[str, Any]) -> Sheet:
    """With the texts that are beside the rows in an object as columns; what else is beside them is left out."""
    beside = {key: fact for key, fact in value.items() if not isinstance(fact, list | dict)}
    facts = {key: fact for key, fact in beside.items() if isinstance(fact, str) and key not in sheet.frame.columns}
    wrong = next((key for key, fact in facts.items() if broken(key) or broken(fact)), None)
    if wrong is not None:
        raise invalid(f"{sheet.name}, {shown(wrong)}: {broken(wrong) or broken(facts[wrong])}")
    left_out = ", ".join(key for key in beside if key not in facts)
    notes = (f"{sheet.name}: {left_out} beside the rows is left out",) if left_out else ()
    frame = sheet.frame.with_columns(pl.lit(fact).alias(key) for key, fact in facts.items())
    return replace(sheet, frame=frame, notes=sheet.notes + notes)


def _of_table(name: str, schema: dict[str, Any], items: list[Any]) -> Sheet:
    """pandas' orient `table`; its index is left out unless it has a name."""
    index = schema.get("primaryKey")
    columns, left_out = Columns(name), "index" if index == ["index"] else None
    rows = _objects(name, items)
    columns.add_items([{key: cell for key, cell in row.items() if key != left_out} for row in rows])
    return columns.sheet(notes=[f"{name}: column index (pandas' index) is left out"] if left_out else ())


def _of_objects(name: str, value: dict[str, dict[str, Any]]) -> Sheet:
    """pandas' orients `columns` and `index`: the numbered side is the rows, else the one without known names."""
    outer, inner = list(value), list(next(iter(value.values())))
    columns = Columns(name)
    by_column = _are_numbers(inner) or (not _are_numbers(outer) and _known(outer) >= _known(inner))
    rows = inner if by_column else outer
    notes = []
    if by_column:
        cells = {key: [column[row] for row in inner] for key, column in value.items()}
    else:
        cells = {key: [row[key] for row in value.values()] for key in inner}
    if not _are_numbers(rows) and "id" not in cells:
        cells = {"id": rows, **cells}
        notes.append(f"{name}: the names of the rows are column id")
    columns.add(cells, len(rows))
    return columns.sheet(notes=notes)


def _objects(name: str, items: list[Any]) -> list[dict[str, Any]]:
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise invalid(f"{name}, row {number}: got {shown(item)}; wanted an object")
    return items


def _are_of_hub(items: Any) -> bool:
    """Whether they are rows of a data set as the hub's API gives them, each in an object with its number."""
    return isinstance(items, list) and all(isinstance(item, dict) and {"row_idx", "row"} <= set(item) for item in items)


def _add_lists(columns: Columns, name: str, header: Sequence[str], rows: list[list[Any]]) -> None:
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise invalid(f"{name}, row {number}: got {len(row)} values, wanted {len(header)}, one for each column")
    if len(set(header)) < len(header):
        again = next(key for key in header if list(header).count(key) > 1)
        raise invalid(f"{name}, column {again}: it is there twice; leave one out")
    columns.add({key: [row[place] for row in rows] for place, key in enumerate(header)}, len(rows))


def _header(rows: list[list[Any]]) -> list[str]:
    return [f"column_{place}" for place in range(1, len(rows[0]) + 1)]


def _example(rows: list[list[Any]]) -> str:
    return f"column_1 … column_{len(rows[0])}; say what they are with --map prompt_id=column_1,…"


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(cell, str) for cell in value)


def _are_lists(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(cell, list) for cell in value)


def _known(names: Sequence[str]) -> int:
    """How many are names of columns that everybody uses."""
    return len({*names} & {*NAMES})


def _are_numbers(names: Sequence[str]) -> bool:
    return all(name.isdecimal() for name in names)
