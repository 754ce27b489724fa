"""How numbers, times and foreign text are written on every page and in every chart. No Streamlit here.

The formats for sentences come from the warehouse, as the command line uses them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from warehouse.formats import (
    MINUS,
    UNDEFINED,
    count,
    counts,
    duration,
    escape,
    interval,
    number,
    percent,
    roughly,
    size,
)

__all__ = [
    "MINUS",
    "UNDEFINED",
    "count",
    "counts",
    "duration",
    "escape",
    "interval",
    "listed",
    "number",
    "parameter",
    "percent",
    "roughly",
    "size",
    "when",
]


def listed(names: Sequence[str], most: int = 4) -> str:
    """Foreign names, escaped, the first few of many: `a, b and 3 more`."""
    shown = ", ".join(escape(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def parameter(value: object) -> str:
    """A value in an address: the shortest text that is read back as the same."""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)


def when(iso: str) -> str:
    """A point in time, UTC: `23 Nov 2026, 17:07 UTC`; what is no ISO 8601 time is returned as it is."""
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


# Formats of numbers in charts and tables, in d3's notation (https://d3js.org/d3-format).
FIGURE = ".3f"
SHORT = ".2f"
AXIS = ".1f"
SHARE = ".0%"
EXACT_SHARE = ".1%"
COUNT = ","
STEP = ".6~r"


def column(d3_format: str) -> str:
    """The same for a column of `st.dataframe`: `%.3f`, `percent`."""
    return "percent" if d3_format.endswith("%") else f"%{d3_format}"
