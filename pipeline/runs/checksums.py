"""SHA-256 of a run's parts and of the files that its stages store, one line each in `parts.sha256` of its directory.

`sha256sum --check` reads it too. A line is on the disk before its part has its name, so a part without a line comes
from an older version and is not checked. A part that is written again gets another line: the last one counts.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from pipeline.runs import locks

FILE = "parts.sha256"


def append(run: Path, part: Path, temporary: Path) -> None:
    """Note the checksum of a part, or of each file of a folder, that still has a temporary name."""
    files = sorted(temporary.iterdir()) if temporary.is_dir() else [temporary]
    place = part.relative_to(run)
    names = [place / file.relative_to(temporary) for file in files]  # a file is the empty path from itself
    lines = "".join(f"{_sha256(file)}  {name}\n" for file, name in zip(files, names, strict=True)).encode()
    with (run / FILE).open("a+b") as sums:
        locks.wait_for(sums)  # nodes of a cluster append at the same time, and on NFS that needs a lock
        if sums.tell():
            sums.seek(-1, os.SEEK_END)
            if sums.read(1) != b"\n":  # a full disk or a kill cut off the last line
                lines = b"\n" + lines
        sums.write(lines)
        sums.flush()
        os.fsync(sums.fileno())


def read(run: Path) -> Mapping[str, str]:
    """Checksum of each part by its path relative to the run; a line that a kill cut off matches no part."""
    try:
        lines = (run / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    return {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}


def is_whole(run: Path, part: Path, sums: Mapping[str, str]) -> bool:
    """Whether a part has its checksum; True if the checksum is unknown."""
    expected = sums.get(str(part.relative_to(run)))
    return expected is None or expected == _sha256(part)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
