"""One run at a time works in a data folder, as each takes all cores; every other one waits for its turn.

The lock is the system's, which lets go of it when the process ends, however it ends. Its file says whose turn it is.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.writing import told

_FILE = ".turn"


@contextmanager
def turn(folder: Path, run_id: str, waits: Callable[[str], object]) -> Iterator[None]:
    """Hold the folder of all runs for this one; `waits` is told who is before it, if it has to wait."""
    with told(folder):
        file = (folder / _FILE).open("a+b", buffering=0)  # so that closing it has nothing left to write
    with file as lock:
        for _ in range(20):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)  # `whose` holds the lock for an instant
        else:
            waits(whose(folder) or "another run")
            fcntl.flock(lock, fcntl.LOCK_EX)
        with told(folder):
            lock.truncate(0)
            lock.write(run_id.encode())
        yield


def whose(folder: Path) -> str | None:
    """Id of the run that is at work in the folder; None if none is."""
    try:
        with (folder / _FILE).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read() or None
    except FileNotFoundError:
        pass
    return None
