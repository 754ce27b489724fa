"""CSV that a spreadsheet opens as text: a cell that begins like a formula gets an apostrophe, which imports take off.

A spreadsheet runs what begins with `=`, `+`, `-` or `@`, also after a tab or a carriage return. Names and texts of
models come from others, so that such a cell could send away what is beside it. Numbers stay numbers.
"""

from __future__ import annotations

import re

import polars as pl

_FORMULA = r"^'*[=+\-@\t\r]"
_NEUTRAL = r"^'+[=+\-@\t\r]"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_APOSTROPHE = "'"
_TEXTS = (pl.String, pl.Categorical, pl.Enum)


def neutral(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with an apostrophe before each cell and column name that a spreadsheet would run.

    What begins with apostrophes and then like a formula gets one more, so that `restored` gives back the same cells.
    """
    columns = [pl.col(name).cast(pl.String()) for name, kind in frame.schema.items() if isinstance(kind, _TEXTS)]
    cells = [
        pl.when(column.str.contains(_FORMULA) & ~column.str.contains(_NUMBER))
        .then(pl.lit(_APOSTROPHE) + column)
        .otherwise(column)
        .name.keep()
        for column in columns
    ]
    names = {name: f"{_APOSTROPHE}{name}" for name in frame.columns if re.match(_FORMULA, name)}
    return frame.with_columns(cells).rename(names)


def restored(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with cells and column names as they were before `neutral`; any text column may be in it."""
    columns = [pl.col(name) for name, kind in frame.schema.items() if kind == pl.String()]
    cells = [
        pl.when(column.str.contains(_NEUTRAL)).then(column.str.slice(1)).otherwise(column).name.keep()
        for column in columns
    ]
    names = {name: name[1:] for name in frame.columns if re.match(_NEUTRAL, name) and name[1:] not in frame.columns}
    return frame.with_columns(cells).rename(names)
