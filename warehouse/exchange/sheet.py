"""A file's rows and where each of them stands in it: what every message about other people's files is made of.

Columns of a sheet as what they have to be: ids, texts, finite numbers, lists. Errors name file, row and column.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from warehouse.errors import InvalidRows

CUT = "the file may be cut off: get it again"


@dataclass(frozen=True)
class Sheet:
    """A file's rows. `lines` has the line of each row, where the file has lines."""

    name: str
    frame: pl.DataFrame
    lines: Sequence[int] | None = None

    def at(self, row: int) -> str:
        """Where a row (0-based) stands, as a person counts: file, row from 1, line."""
        line = "" if self.lines is None else f" (line {self.lines[row]})"
        return f"{self.name}, row {row + 1}{line}"

    def wrong(self, row: int, column: str, got: object, remedy: str) -> InvalidRows:
        """The error for one cell."""
        return invalid(f"{self.at(row)}, column {column}: got {shown(got)}; {remedy}")


def invalid(message: str) -> InvalidRows:
    """The error with its message on one line, whatever names it quotes."""
    return InvalidRows(" ".join(message.encode("utf-8", "replace").decode().split()))


def shown(value: object) -> str:
    """A value as a message quotes it: short, on one line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def decoded(content: bytes) -> str:
    """Text in which a byte that is no UTF-8 stands as a lone surrogate: so it can be told in which cell it is."""
    return content.decode("utf-8-sig", "surrogateescape")


def broken(text: str) -> str:
    """What is wrong with the first character that is none, and how to mend it; empty where all are."""
    found = next((character for character in text if "\ud800" <= character <= "\udfff"), None)
    if found is None:
        return ""
    if "\udc80" <= found <= "\udcff":
        return f"byte 0x{ord(found) - 0xDC00:02x} is no UTF-8; save the whole file as UTF-8"
    return f"half a character (U+{ord(found):04X}); mend its encoding"


def first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def ids(sheet: Sheet, column: str) -> pl.Series:
    """A column as text, with nothing missing."""
    values = texts(sheet, column)
    empty = (values.is_null() | (values == "").fill_null(True)).arg_true()
    if len(empty):
        raise sheet.wrong(empty[0], column, values[empty[0]], "every row needs one")
    return values


def texts(sheet: Sheet, column: str) -> pl.Series:
    """A column as text; whole floats as integers, since a gap elsewhere turns integer ids into floats. May have nulls.

    A column that is not there is all null.
    """
    if column not in sheet.frame.columns:
        return pl.Series(column, [None] * sheet.frame.height, dtype=pl.String())
    values = sheet.frame[column]
    if values.dtype.is_float():
        whole = values.is_finite() & (values.round() == values) & (values.abs() < 2**53)
        if whole.fill_null(True).all():
            values = values.cast(pl.Int64())
    return values.cast(pl.String())


def labels(sheet: Sheet, column: str) -> pl.Series:
    """Text in which an empty field is a missing one."""
    values = texts(sheet, column)
    return values.to_frame().select(pl.when(pl.col(column) != "").then(pl.col(column)))[column]


def numbers(sheet: Sheet, column: str, dtype: pl.DataType | None = None) -> pl.Series:
    """A column as finite floats, with nothing missing; `dtype` is the precision they have to be finite in."""
    found = sheet.frame[column]
    stripped = found.str.strip_chars() if found.dtype == pl.String() else found
    values = stripped.cast(pl.Float64(), strict=False).cast(dtype or pl.Float64(), strict=False)
    bad = (~values.is_finite().fill_null(False)).arg_true()
    if len(bad):
        got = found[bad[0]]
        kind = "a finite number" + (" of 32 bits" if dtype == pl.Float32() else "")
        raise sheet.wrong(bad[0], column, got, f"wanted {kind}: mend it or leave the whole response out")
    return values


def require(sheet: Sheet, needed: tuple[str, ...], optional: tuple[str, ...], kind: str) -> None:
    """Raise InvalidRows unless the sheet has all needed columns and none that is neither needed nor optional."""
    there = sheet.frame.columns
    missing = [column for column in needed if column not in there]
    unknown = [column for column in there if column not in needed + optional]
    if missing or unknown:
        raise invalid(
            f"{sheet.name}, row 1: wrong columns for {kind}: missing {missing}, unknown {unknown}, got {there}; it has "
            f"to have {list(needed)} and may have {list(optional)}"
        )


def listed(sheet: Sheet, column: str) -> list[list[Any]]:
    """Every cell as a list: a list, a string-encoded list (JSON or Python), or one value by itself."""
    cells = sheet.frame[column].to_list()
    return [_as_list(sheet, row, column, cell) for row, cell in enumerate(cells)]


def looks_listed(values: pl.Series) -> bool:
    """Whether the first cell is a list of texts or a string that encodes one."""
    first = values.drop_nulls().head(1).to_list()
    found = as_list(first[0]) if first and isinstance(first[0], str) else None
    return bool(found) and all(isinstance(text, str) for text in found or [])


def as_list(cell: object) -> list[Any] | None:
    """The list that a string encodes, as JSON or as Python writes it; None if it encodes none."""
    if not isinstance(cell, str) or not cell.lstrip().startswith("["):
        return None
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        found = _evaluated(cell)
    return found if isinstance(found, list) else None


def _as_list(sheet: Sheet, row: int, column: str, cell: object) -> list[Any]:
    if cell is None:
        raise sheet.wrong(row, column, cell, "every row needs one")
    if not isinstance(cell, str) or not cell.lstrip().startswith("["):
        return [cell]
    found = as_list(cell)
    if not found:
        raise sheet.wrong(row, column, cell, "wanted a list with something in it, as JSON or Python writes it")
    return found


def _evaluated(cell: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
