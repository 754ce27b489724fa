"""How numbers, times and foreign text are written, everywhere the same. Pure functions, no streamlit.

Those of figures and foreign text are the warehouse's, which the command line writes with too.
"""

from __future__ import annotations

from datetime import UTC, datetime

from warehouse.formats import MINUS, UNDEFINED, count, escape, interval, number, percent

__all__ = [
    "MINUS",
    "UNDEFINED",
    "count",
    "duration",
    "escape",
    "interval",
    "number",
    "parameter",
    "percent",
    "roughly",
    "size",
    "when",
]


def parameter(value: object) -> str:
    """A value in an address: the shortest text that is read back as the same."""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)


def duration(seconds: float) -> str:
    """Time taken or left: `0.8 s`, `41 s`, `5 min 12 s`, `1 h 04 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def roughly(seconds: float) -> str:
    """Time that is not known well: `40 s`, `17 min`, `2.5 h`."""
    if seconds < 120:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(size_bytes: float) -> str:
    """Memory: `512 MiB`, `1.7 GiB`."""
    mebibytes = size_bytes / 2**20
    return f"{mebibytes:,.0f} MiB" if mebibytes < 1024 else f"{mebibytes / 1024:,.1f} GiB"


def when(iso: str) -> str:
    """A point in time, UTC: `23 Nov 2026, 17:07 UTC`; what is no ISO 8601 time is returned as it is."""
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"
