"""How numbers, times, sizes and foreign text are written in sentences, on pages and in documents. Pure functions."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

MINUS = "\N{MINUS SIGN}"
UNDEFINED = "undefined"

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~$:&])")


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed decimals and a real minus sign: `0.72`, `−0.03`; `undefined` for None."""
    if value is None:
        return UNDEFINED
    text = f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def interval(low: float | None, high: float | None) -> str:
    """The two ends of an interval: `0.31 to 0.89`."""
    if low is None or high is None:
        return "no interval"
    return f"{number(low)} to {number(high)}"


def names_in(text: str | None) -> tuple[str, ...]:
    """Names with commas or line breaks between them, each once; a name with one in it stands in double quotes.

    Raises ValueError for what is no such list.
    """
    try:
        lines = list(csv.reader(io.StringIO(text or "", newline=""), skipinitialspace=True))
    except csv.Error as error:
        raise ValueError(f"names cannot be read ({error}); put commas between them") from error
    parts = (part for line in lines for part in line)
    return tuple(dict.fromkeys(name for part in parts if (name := part.strip())))


def listed(names: Iterable[str]) -> str:
    """Names as `names_in` reads them."""
    return ", ".join(f'"{name}"' if "," in name else name for name in names)


def count(amount: float, noun: str) -> str:
    """A count with its noun, which is given in the singular: `1 pair`, `1,536 responses`."""
    plural = noun if amount == 1 else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{amount:,.0f} {plural}"


def counts(fewest: float, most: float, noun: str) -> str:
    """A count that differs from case to case: `2 to 5 responses`; where it does not, as `count`."""
    return count(most, noun) if fewest == most else f"{fewest:,.0f} to {count(most, noun)}"


def percent(share: float) -> str:
    """A share between 0 and 1 in whole percent: `34%`."""
    return f"{share:.0%}"


def escape(text: str) -> str:
    """Foreign text (ids, subset names, messages) escaped for Markdown, so that it is shown letter by letter."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def duration(seconds: float) -> str:
    """A duration: `0.8 s`, `41 s`, `5 min 12 s`, `1 h 04 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def roughly(seconds: float) -> str:
    """An approximate duration: `40 s`, `17 min`, `2.5 h`."""
    if seconds < 120:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(size_bytes: float) -> str:
    """A size in memory or on disk: `512 MiB`, `1.7 GiB`."""
    mebibytes = size_bytes / 2**20
    return f"{mebibytes:,.0f} MiB" if mebibytes < 1024 else f"{mebibytes / 1024:,.1f} GiB"
