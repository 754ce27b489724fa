"""A file's rows, and where each of them is in it: every message about other people's files is built from this.

The columns have the file's own types: text, integers, floats, booleans, and lists and objects as `pl.List`, `pl.Struct`
or `pl.Object`. The methods return a column as what it has to be: ids, texts, scores, lists.
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
from warehouse.exchange.numbers import floats, holds_objects, is_inexact, is_missing

CUT = "the file may be cut off: get it again"
_NEEDED = "every row needs one"
_NO_LIST = "wanted a list with something in it, as JSON or Python writes it"


@dataclass(frozen=True)
class Sheet:
    """A file's rows. `lines` has the line of each row, if the file has lines. Methods raise InvalidRows.

    `notes` is what the user has to know about how the file was read. With `decimal_comma` numbers may be written 1,5.
    `index` are columns that the file declares to be pandas' index.
    `scorers` are columns that the user calls scorers, whatever their names say; with `only_scorers` no others are.
    """

    name: str
    frame: pl.DataFrame
    lines: Sequence[int] | None = None
    notes: tuple[str, ...] = ()
    decimal_comma: bool = False
    index: tuple[str, ...] = ()
    scorers: tuple[str, ...] = ()
    only_scorers: bool = False

    def at(self, row: int) -> str:
        """Where a row (0-based) is, as a person counts: file, row from 1, line."""
        line = "" if self.lines is None else f" (line {self.lines[row]})"
        return f"{self.name}, row {row + 1}{line}"

    def wrong(self, row: int, column: str, got: object, remedy: str) -> InvalidRows:
        """The error for one cell."""
        return invalid(f"{self.at(row)}, column {column}: got {shown(got)}; {remedy}")

    def require(self, needed: tuple[str, ...], optional: tuple[str, ...], kind: str) -> None:
        """Check that all needed columns are there and no others but the optional ones."""
        columns = self.frame.columns
        missing = [column for column in needed if column not in columns]
        unknown = [column for column in columns if column not in needed + optional]
        if missing or unknown:
            raise invalid(
                f"{self.name}, row 1: wrong columns for {kind}: missing {missing}, unknown {unknown}, got {columns}; "
                f"it has to have {list(needed)} and may have {list(optional)}"
            )

    def values(self, column: str) -> list[Any]:
        """A column as Python values: texts, numbers, lists, dictionaries, None."""
        return self.frame[column].to_list()

    def texts(self, column: str) -> pl.Series:
        """A column as text, all null if it is absent; lists and objects are no text.

        Whole floats become integers, since a gap elsewhere turns integer ids into floats.
        """
        if column not in self.frame.columns:
            return pl.Series(column, [], dtype=pl.String()).clear(self.frame.height)
        values = self.frame[column]
        if holds_objects(values):
            cells = values.to_list()
            row = next((row for row, cell in enumerate(cells) if isinstance(cell, list | dict)), None)
            if row is not None:
                raise self.wrong(row, column, cells[row], "wanted a text or a number")
            return pl.Series(column, [cell if cell is None else str(cell) for cell in cells], dtype=pl.String())
        if values.dtype.is_float():
            whole = values.is_finite() & (values.round() == values) & (values.abs() < 2**53)
            if whole.fill_null(True).all():
                values = values.cast(pl.Int64())
        return values.cast(pl.String())

    def labels(self, column: str) -> pl.Series:
        """A column as text in which an empty field is a missing one."""
        values = self.texts(column)
        return values.set(values == "", None)

    def ids(self, column: str) -> pl.Series:
        """A column as text without missing values."""
        values = self.texts(column)
        empty = (values.is_null() | (values == "").fill_null(True)).arg_true()
        if len(empty):
            raise self.wrong(empty[0], column, values[empty[0]], _NEEDED)
        return values

    def numbers(self, column: str, *, optional: bool = False) -> pl.Series:
        """A column as finite floats of 64 bits, [x] and [[x]] as x; only an optional one may be absent or have gaps."""
        if optional and column not in self.frame.columns:
            return pl.Series(column, [None] * self.frame.height, dtype=pl.Float64())
        cells = self.frame[column]
        values = floats(cells, decimal_comma=self.decimal_comma)
        bad = ~values.is_finite().fill_null(False)
        if bad.any() and optional:
            bad &= ~is_missing(cells)
            values = values.fill_nan(None)
        if bad.any():
            remedy = "wanted a finite number" + ("" if optional else ": mend it")
            raise self._wrong_number(bad, column, remedy)
        return values

    def scores(self, column: str) -> pl.Series:
        """A column as floats of 64 bits, [x] and [[x]] as x: null where a field is empty, null or no number by name;
        infinities stay. Integers that no float holds are refused."""
        cells = self.frame[column]
        values = floats(cells, decimal_comma=self.decimal_comma).fill_nan(None)
        bad = values.is_null()
        if bad.any():
            bad &= ~is_missing(cells)
        if bad.any():
            raise self._wrong_number(bad, column, "wanted a number, or an empty field for a missing score")
        large = is_inexact(cells, values)
        if large.any():
            raise self._wrong_number(
                large, column, "floats make integers as large as this equal: subtract one number from all scores"
            )
        return values

    def share_of_numbers(self, column: str) -> float:
        """Which share of the cells that are not missing are numbers, [x] and [[x]] too; 1 if all are missing."""
        cells = self.frame[column]
        present = len(cells) - int(is_missing(cells).sum())
        numbers = floats(cells, decimal_comma=self.decimal_comma).fill_nan(None)
        return (len(cells) - numbers.null_count()) / present if present else 1.0

    def _wrong_number(self, bad: pl.Series, column: str, remedy: str) -> InvalidRows:
        row = bad.arg_true()[0]
        return self.wrong(row, column, self.values(column)[row], remedy)

    def lists(self, column: str) -> list[list[Any]]:
        """Every cell as a list: a list, the values of an object, a string-encoded list (JSON or Python), or one value,
        or null, by itself."""
        return [self._list(row, column, cell) for row, cell in enumerate(self.values(column))]

    def _list(self, row: int, column: str, cell: object) -> list[Any]:
        if isinstance(cell, dict):
            cell = list(cell.values())
        if not isinstance(cell, list) and not (isinstance(cell, str) and cell.lstrip().startswith("[")):
            return [cell]
        values = as_list(cell)
        if not values:
            raise self.wrong(row, column, cell, _NO_LIST)
        return values


def at_row(sheets: Sequence[Sheet], rows: pl.DataFrame) -> str:
    """Where the first of these rows is; they have the columns `file` (its number) and `row`."""
    return sheets[rows["file"][0]].at(rows["row"][0])


def wrong_row(sheets: Sequence[Sheet], rows: pl.DataFrame, column: str, got: object, remedy: str) -> InvalidRows:
    """The error for one column of the first of these rows."""
    return sheets[rows["file"][0]].wrong(rows["row"][0], column, got, remedy)


def invalid(message: str) -> InvalidRows:
    """The error with its message on one line, whatever names it quotes."""
    return InvalidRows(" ".join(message.encode("utf-8", "replace").decode().split()))


def shown(value: object) -> str:
    """A value as a message quotes it: short, on one line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def decoded(content: bytes) -> str:
    """Text in which a byte that is no UTF-8 is a lone surrogate, so that its cell can be named."""
    return content.decode("utf-8-sig", "surrogateescape")


def broken(text: str) -> str:
    """What is wrong with the first invalid character and how to mend it; empty if all are valid."""
    character = next((character for character in text if "\ud800" <= character <= "\udfff"), None)
    if character is None:
        return ""
    if "\udc80" <= character <= "\udcff":
        return f"byte 0x{ord(character) - 0xDC00:02x} is no UTF-8; save the whole file as UTF-8"
    return f"half a character (U+{ord(character):04X}); mend its encoding"


def value_in(cell: object) -> Any:
    """The list or object that a text encodes, as JSON or Python writes it; any other cell as it is."""
    if not isinstance(cell, str) or not cell.lstrip().startswith(("[", "{")):
        return cell
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = ast.literal_eval(cell.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return cell
    return value if isinstance(value, list | dict) else cell


def as_list(cell: object) -> list[Any] | None:
    """A list itself, or the one that a string encodes; None if it is none."""
    value = value_in(cell)
    return value if isinstance(value, list) else None


def gathered(notes: Sequence[str]) -> list[str]:
    """Notes that several files share, once, with the first file's name and how many others say the same."""
    by_text: dict[str, list[str]] = {}
    for note in notes:
        name, _, text = note.partition(": ")
        by_text.setdefault(text, []).append(name)
    return [
        f"{names[0]}{'' if len(names) == 1 else f' and {len(names) - 1} more'}: {text}"
        for text, names in by_text.items()
    ]
