"""The reader of other people's files, whatever they are: one file → a `Sheet`.

`content` unpacks a file and tells its kind, by its content before its name; `delimited` reads CSV, `json_rows` JSON and
JSON Lines, `json_shapes` what one JSON value may look like, `arrow` Parquet and Arrow; `columns` gives JSON's values
types; `index_columns` leaves pandas' index out. No reader changes a setting of the process, so files can be read at the
same time.
"""

from __future__ import annotations

from pathlib import Path

from warehouse.exchange.reading.arrow import plain, read_arrow
from warehouse.exchange.reading.content import EXTENSIONS, Kind, content_of, kind_of
from warehouse.exchange.reading.delimited import read_delimited
from warehouse.exchange.reading.index_columns import without_index
from warehouse.exchange.reading.json_rows import read_json
from warehouse.exchange.sheet import Sheet, invalid

__all__ = ["EXTENSIONS", "read_sheet"]


def read_sheet(path: Path) -> Sheet:
    """Read one file. Raises InvalidRows if it is missing, empty, cut off, of another encoding or of unknown kind."""
    content = content_of(path)
    kind = kind_of(path.name, content)
    declared: tuple[str, ...] = ()
    if kind in (Kind.PARQUET, Kind.ARROW):
        frame, declared = read_arrow(path.name, content, kind)
        sheet = plain(path.name, frame)
    elif kind is Kind.TABLE:
        sheet = read_delimited(path.name, content)
    else:
        sheet = read_json(path.name, content, lines_first=kind is Kind.LINES)
    if sheet.frame.is_empty():
        raise invalid(f"{path.name}: the file has no rows; give one with rows")
    return without_index(sheet, declared)
