"""Columns from Python values, as JSON has them, each with the narrowest type that loses nothing.

Integers, floats, booleans and texts become columns of that type; a column of texts and numbers is text. A column with
lists or objects keeps them as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from warehouse.exchange.sheet import Sheet, broken, invalid, shown


class Columns:
    """The rows of a file, gathered part by part, each part a column of values for each key."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._parts: dict[str, list[tuple[int, pl.Series]]] = {}
        self._height = 0

    def add_items(self, items: Sequence[dict[str, Any]]) -> None:
        """More rows, as objects."""
        keys = dict.fromkeys(key for item in items for key in item)
        self.add({key: [item.get(key) for item in items] for key in keys}, len(items))

    def add(self, columns: dict[str, list[Any]], height: int) -> None:
        """More rows, as columns of `height` values; a part may lack columns that others have."""
        for key, values in columns.items():
            if key not in self._parts and broken(key):
                raise invalid(f"{self._name}, column {shown(key)}: {broken(key)}")
            self._parts.setdefault(key, []).append((self._height, series_of(values)))
        self._height += height

    def sheet(self, lines: Sequence[int] | None = None, notes: Iterable[str] = ()) -> Sheet:
        """All rows."""
        place = Sheet(self._name, pl.DataFrame(), lines)
        columns = {key: self._joined(place, key, parts) for key, parts in self._parts.items()}
        return Sheet(self._name, pl.DataFrame(columns), lines, tuple(notes))

    def _joined(self, place: Sheet, key: str, parts: list[tuple[int, pl.Series]]) -> pl.Series:
        dtypes = {part.dtype for _, part in parts if part.dtype != pl.Null()}
        if len(dtypes) > 1 or pl.Object() in dtypes:
            values: list[Any] = [None] * self._height
            for start, part in parts:
                values[start : start + len(part)] = part.to_list()
            series = series_of(values)
            if series.dtype == pl.Object():
                _check_characters(place, key, values)
            return series
        dtype = dtypes.pop() if dtypes else pl.String()
        height, pieces = 0, []
        for start, part in parts:
            pieces += [pl.Series([None] * (start - height), dtype=dtype), part.cast(dtype)]
            height = start + len(part)
        return pl.concat([*pieces, pl.Series([None] * (self._height - height), dtype=dtype)])


def as_json(value: Any) -> str:
    """A list or an object as JSON text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def series_of(values: list[Any]) -> pl.Series:
    """A column of the narrowest type; text that cannot be encoded stays as it is, to be named with its row later."""
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pl.Series(values, dtype=pl.Null())
    if kinds == {bool}:
        return pl.Series(values, dtype=pl.Boolean())
    if kinds == {int}:
        try:
            return pl.Series(values, dtype=pl.Int64())
        except (OverflowError, TypeError, pl.exceptions.PolarsError):
            pass  # larger than 64 bits: text
    elif kinds == {float}:
        return pl.Series(values, dtype=pl.Float64())
    elif kinds == {int, float}:
        # by way of text an integer of hundreds of digits is infinite instead of an OverflowError
        return pl.Series([None if value is None else float(str(value)) for value in values], dtype=pl.Float64())
    elif not kinds.isdisjoint((list, dict)):
        return pl.Series(values, dtype=pl.Object())
    try:
        texts = [value if value is None or isinstance(value, str) else as_json(value) for value in values]
        return pl.Series(texts, dtype=pl.String())
    except UnicodeEncodeError:
        return pl.Series(values, dtype=pl.Object())


def _check_characters(place: Sheet, key: str, values: list[Any]) -> None:
    for row, value in enumerate(values):
        text = value if isinstance(value, str) else as_json(value)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise invalid(f"{place.at(row)}, column {key}: {broken(text)}") from error
