"""Write files and folders so that a reader sees the old content or the new one, never half of it.

The content is written under a temporary name beside the target, forced to the disk, and renamed. A process that is
killed in between leaves only a file or folder whose name begins with `TEMPORARY`, which nothing reads.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TEMPORARY = ".partial-"

_SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def special(path: Path) -> str | None:
    """What is at the path, if it is no file, folder or nothing: reading it may never end, writing may replace it."""
    try:
        return _SPECIAL.get(stat.S_IFMT(path.stat().st_mode))
    except (OSError, ValueError):  # nothing is there, or it cannot be looked at, which whoever opens it says
        return None


@contextmanager
def replacing(path: Path, *, sync: bool = True, replace_folder: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, for a file, a folder or a link; renamed to `path` when the body ends.

    If anything raises, the temporary path is removed and `path` stays as it was. `sync=False` is for content that may
    be lost in a crash of the machine. `replace_folder` removes a folder at `path` just before the rename; without it
    a folder that is not empty raises OSError, as does a pipe or a device, which a rename would replace.
    """
    if kind := special(path):
        raise FileExistsError(errno.EEXIST, f"it is {kind}, not a file", str(path))
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")  # unique: two may write at once
    try:
        yield temporary
        if sync and not temporary.is_symlink():
            for file in (temporary, *temporary.rglob("*")):
                if file.is_file():
                    sync_path(file)
        if replace_folder and path.is_dir():
            shutil.rmtree(path)  # a rename cannot replace a folder that is not empty
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):  # the first error says more
            remove(temporary)
        raise
    if sync:
        with suppress(OSError):  # some network file systems cannot sync a folder
            sync_path(path.parent)


def write_text(path: Path, text: str, *, sync: bool = True) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with replacing(path, sync=sync) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any, *, sync: bool = True) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n", sync=sync)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with its content, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync_path(path: Path) -> None:
    """Force a file, or the list of names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
