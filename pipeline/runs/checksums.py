"""SHA-256 of a run's parts, and of what its stages keep, in `parts.sha256` of its directory, a line each.

`sha256sum --check` reads it too. A line is on the disk before its part has its name, so a part without one is of an
older version and is not checked. A part that is written again has a line again: the last one counts.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

FILE = "parts.sha256"


def keep(run: Path, part: Path, written: Path) -> None:
    """Note the checksum of a part, or of each file of a folder, which is `written` under another name yet."""
    files = sorted(written.iterdir()) if written.is_dir() else [written]
    place = part.relative_to(run)
    names = [place / file.relative_to(written) for file in files]  # a file is the empty path from itself
    lines = "".join(f"{_of(file)}  {name}\n" for file, name in zip(files, names, strict=True)).encode()
    with (run / FILE).open("a+b") as sums:
        fcntl.flock(sums, fcntl.LOCK_EX)  # nodes of a cluster write here at once, and NFS appends by itself only so
        if sums.tell():
            sums.seek(-1, os.SEEK_END)
            if sums.read(1) != b"\n":  # a full disk or a kill broke the last line off
                lines = b"\n" + lines
        sums.write(lines)
        sums.flush()
        os.fsync(sums.fileno())


def kept(run: Path) -> Mapping[str, str]:
    """Checksum of each part by its path relative to the run; a line that a killed process broke off says nothing."""
    try:
        lines = (run / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    return {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}


def is_whole(run: Path, part: Path, sums: Mapping[str, str]) -> bool:
    """Whether a part holds what was written; True where its checksum is not known."""
    wanted = sums.get(str(part.relative_to(run)))
    return wanted is None or wanted == _of(part)


def _of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
