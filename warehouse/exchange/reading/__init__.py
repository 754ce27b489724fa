"""The reader of other people's files, whatever they are: one file → a `Sheet`.

`content` unpacks a file and tells its kind, by its content before its name; `limits` says how much is read;
`delimited` reads CSV, `json_rows` JSON and JSON Lines, `json_shapes` what one JSON value may look like, `arrow` Parquet
and Arrow; `columns` gives JSON's values types; `mapping` names columns as the user says; `index_columns` leaves pandas'
index out and `whole_ids` undoes what it does to ids. No reader changes a setting of the process, so files can be read
at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from warehouse.exchange.reading.arrow import plain, read_arrow
from warehouse.exchange.reading.content import EXTENSIONS, Kind, content_of, kind_of
from warehouse.exchange.reading.delimited import read_delimited
from warehouse.exchange.reading.index_columns import without_index
from warehouse.exchange.reading.json_rows import read_json
from warehouse.exchange.reading.limits import COMMAND_LINE, Limits
from warehouse.exchange.reading.mapping import ColumnMap, mapped
from warehouse.exchange.reading.whole_ids import with_whole_ids
from warehouse.exchange.sheet import Sheet, invalid

__all__ = ["EXTENSIONS", "ColumnMap", "read_sheet", "read_sheets", "sheet_of"]


def read_sheets(files: Sequence[Path], columns: ColumnMap | None = None, limits: Limits = COMMAND_LINE) -> list[Sheet]:
    """Read files, with their columns under the names that the user gave.

    Raises InvalidRows for a file that is missing, empty, cut off, of another encoding or of unknown kind, for files
    that are too large together, and if no file has a column of `columns`.
    """
    sheets = []
    for path in files:
        content = content_of(path, limits)
        sheet = sheet_of(path.name, content, kind_of(path.name, content), limits)
        limits = limits.left(sheet.frame.height, len(content))
        sheets.append(sheet)
    if columns:
        sheets = mapped(sheets, columns)
    return [with_whole_ids(without_index(sheet)) for sheet in sheets]


def read_sheet(path: Path, columns: ColumnMap | None = None, limits: Limits = COMMAND_LINE) -> Sheet:
    """Read one file. Raises what `read_sheets` raises."""
    return read_sheets([path], columns, limits)[0]


def sheet_of(name: str, content: bytes, kind: Kind, limits: Limits = COMMAND_LINE) -> Sheet:
    """A file's content, of which the kind is known, as it is.

    Raises InvalidRows if it has no rows, more rows than the limits, or is broken.
    """
    if kind in (Kind.PARQUET, Kind.ARROW):
        sheet = plain(name, *read_arrow(name, content, kind, limits))
    elif kind is Kind.TABLE:
        sheet = read_delimited(name, content)
    else:
        sheet = read_json(name, content, lines_first=kind is Kind.LINES)
    if sheet.frame.is_empty():
        raise invalid(f"{name}: the file has no rows; give one with rows")
    limits.check(name, sheet.frame.height)
    return sheet
