"""How much of a file is read. It is held against what the file says of itself, before anything of it is in memory.

Two kilobytes of Parquet can hold a gigabyte of text, one megabyte 200 million rows, so a file's own size says nothing.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from warehouse.exchange.sheet import invalid

RATIO = 250
"""Most bytes that a packed byte may unpack to, beyond `_ANY_RATIO_BYTES`; texts that are repeated in every row have
less."""

_ANY_RATIO_BYTES = 64 * 2**20
_MIB = 2**20


class Limits(NamedTuple):
    """What the files of one import may have together: rows, and bytes when they are unpacked and decoded.

    `remedy` ends the message about a file that has more.
    """

    rows: int
    unpacked_bytes: int
    remedy: str

    def left(self, rows: int, unpacked_bytes: int) -> Limits:
        """The limits for the next file, when those before had so many rows and bytes."""
        return self._replace(rows=self.rows - rows, unpacked_bytes=self.unpacked_bytes - unpacked_bytes)

    def most_unpacked(self, packed_bytes: int) -> int:
        """Most bytes that a packed file of this size may unpack to."""
        return min(self.unpacked_bytes, max(_ANY_RATIO_BYTES, RATIO * packed_bytes))

    def check(self, name: str, rows: int, decoded_bytes: int = 0) -> None:
        """Raise InvalidRows, with the remedy, for a file with more rows or bytes."""
        if rows > self.rows:
            raise invalid(f"{name}: {rows:,} rows, at most {self.rows:,} are read; {self.remedy}")
        if decoded_bytes > self.unpacked_bytes:
            size = f"{decoded_bytes // _MIB:,} MiB unpacked, at most {self.unpacked_bytes // _MIB:,} MiB are read"
            raise invalid(f"{name}: {size}; {self.remedy}")


def memory_bytes() -> int:
    """The memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


COMMAND_LINE = Limits(
    rows=100_000_000,
    unpacked_bytes=memory_bytes(),
    remedy="leave prompts or reward models out, or import them as several runs",
)
"""For files that somebody with a shell on this machine names: what it can hold in memory, and 100 million rows."""

UPLOADED = Limits(
    rows=10_000_000,
    unpacked_bytes=800 * _MIB,
    remedy="import it with `righttree import`, which reads more",
)
"""For files that came through a page."""
