"""Writing files and folders so that a reader sees the old content or the new one, never half of it.

The content is written under a temporary name beside the target, forced to the disk, and renamed. A process that is
killed in between leaves only a name that begins with `TEMPORARY`, which nothing reads.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TEMPORARY = ".partial-"


@contextmanager
def replacing(path: Path, *, sync: bool = True, replace_folder: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, for a file, a folder or a link; renamed to `path` when the body ends.

    If anything raises, nothing is left of it and `path` is as it was. `sync=False` skips the disk: for content that may
    be lost when the machine crashes. `replace_folder` allows that `path` is a folder with content, which is removed
    just before the rename; without it such a folder raises OSError.
    """
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")  # unique: two may write at once
    try:
        yield temporary
        if sync:
            _sync_content(temporary)
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
    """Write a UTF-8 text file as a whole or not at all."""
    with replacing(path, sync=sync) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any, *, sync: bool = True) -> None:
    """Write a value as indented JSON, as a whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n", sync=sync)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with its content; nothing happens if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync_path(path: Path) -> None:
    """Force a file, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_content(path: Path) -> None:
    if path.is_symlink():
        return
    for file in path.rglob("*") if path.is_dir() else (path,):
        if file.is_file():
            sync_path(file)
