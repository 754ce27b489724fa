"""A file's rows and where each of them stands in it: what every message about other people's files is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
