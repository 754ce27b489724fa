"""Locks of the operating system, which are released when their process ends, however it ends.

A file that is locked says who holds it: `<run>/.lock` has the id of the process that works on the run, `runs/.turn` the
id of the run that is executing. One run executes at a time in a data folder, as each uses all cores; others queue.

The system's own lock and not a library's: a page has to see who holds a lock without taking it from anybody, also where
it may only read the folder. Several readers may look at once, because they take the shared lock for an instant.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from pipeline.errors import RunBusy, write_errors

LOCK = ".lock"
_TURN = ".turn"
_TRIES, _WAIT_S = 20, 0.05  # `is_locked` holds the lock for an instant


@contextmanager
def hold(run: Path) -> Iterator[None]:
    """Keep every other process from working on a run. Raises RunBusy if one does, NotWritten."""
    busy = (
        f"another process is working on run {run.name}: watch it with `righttree runs`, or stop it with "
        f"`righttree cancel {run.name}`"
    )
    with _locked(run / LOCK, str(os.getpid()), lambda: _refuse(busy)):
        yield


@contextmanager
def turn(folder: Path, run_id: str, waits: Callable[[str], object]) -> Iterator[None]:
    """Execute one run in the folder of all runs; `waits` is called with the id of the run that is executing before."""
    with _locked(folder / _TURN, run_id, lambda: waits(whose(folder) or "another run")):
        yield


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock file. Raises OSError for a file that cannot be read."""
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def whose(folder: Path) -> str | None:
    """Id of the run that is executing in the folder of all runs; None if none is."""
    path = folder / _TURN
    try:
        return (path.read_text(errors="replace") or None) if is_locked(path) else None
    except OSError:
        return None


def worker(run: Path) -> int | None:
    """Id of the living process that holds the run; None if there is none, or none that is visible from here.

    An id alone may belong to another process: one of another container, or one that started later with the same id.
    """
    lock = run / LOCK
    try:
        process = int(lock.read_text()) if is_locked(lock) else None
    except (OSError, ValueError):  # it has held the run for less than an instant
        return None
    return process if process is not None and _has_open(process, lock) else None


@contextmanager
def _locked(path: Path, text: str, wait: Callable[[], object]) -> Iterator[None]:
    """Hold a lock file with a text in it; `wait` is called before waiting for another holder, and may raise."""
    with write_errors(path):
        file = path.open("a+b", buffering=0)  # so that closing it has nothing left to write
    with file:
        for _ in range(_TRIES):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_WAIT_S)
        else:
            wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        with write_errors(path):
            file.truncate(0)
            file.write(text.encode())
        yield


def _refuse(message: str) -> None:
    raise RunBusy(message)


def _has_open(process: int, path: Path) -> bool:
    """Whether a process has a file open; True where the system does not say."""
    try:
        opened = [file.path for file in psutil.Process(process).open_files()]
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False
    return str(path.resolve()) in opened
