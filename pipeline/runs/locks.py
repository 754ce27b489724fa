"""Locks of the operating system, which are released when their process ends, however it ends.

A lock file names its holder: `<run>/.lock` has the id of the process that works on the run and when it started,
`runs/.turn` the id of the run that is executing. Only one run executes per data folder, as each uses all cores; others
queue.

These are not a library's locks because a page has to see who holds one without taking it away from anybody, even where
it can only read the folder. Several readers can look at the same time, as they take the shared lock for an instant.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from pipeline.errors import RunBusy, UnknownRun, write_errors
from warehouse import files

LOCK = ".lock"
_DRAFTS = ".drafts"
_TURN = ".turn"
_TRIES, _WAIT_S = 20, 0.05  # `is_locked` holds the lock for an instant


@contextmanager
def hold(run: Path) -> Iterator[None]:
    """Keep every other process from working on a run. Raises RunBusy if one does, UnknownRun, NotWritten."""
    if not run.is_dir():
        raise _deleted(run)

    def refuse() -> None:
        raise RunBusy(
            f"another process is working on run {run.name}: watch it with `righttree runs`, or stop it with "
            f"`righttree cancel {run.name}`"
        )

    with _locked(run / LOCK, f"{os.getpid()} {_started(os.getpid())}", refuse) as file:
        try:
            same = os.path.samestat(os.fstat(file.fileno()), (run / LOCK).stat())
        except FileNotFoundError:
            same = False
        if not same:  # whoever held the run until now has deleted it: the lock is of a file that is gone
            raise _deleted(run)
        yield


def _deleted(run: Path) -> UnknownRun:
    return UnknownRun(f"run {run.name} has been deleted; `righttree runs` lists the existing ones")


@contextmanager
def execute(folder: Path, run_id: str, on_wait: Callable[[str], object]) -> Iterator[None]:
    """Be the one run that executes in the folder of all runs; `on_wait` gets the id of the run it has to wait for."""
    with _locked(folder / _TURN, run_id, lambda: on_wait(executing(folder) or "another run")):
        yield


@contextmanager
def drafting(folder: Path) -> Iterator[None]:
    """Write in the folder of all runs under temporary names, which nobody removes meanwhile. Raises NotWritten.

    First removes what killed processes left under such names, unless another process is writing too.
    """
    with write_errors(folder):
        lock = (folder / _DRAFTS).open("ab")
    with lock:
        with write_errors(folder):
            share(lock.fileno(), folder.glob(f"{files.TEMPORARY}*"))
        yield


def share(descriptor: int, leftovers: Iterable[Path]) -> None:
    """Share the lock of an open file or folder, and first remove what killed processes left, if nobody shares it yet.

    Raises OSError if something cannot be removed, or if the file system has no such locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        leftovers = ()
    try:
        for leftover in leftovers:
            files.remove(leftover)
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_SH)


def executing(folder: Path) -> str | None:
    """Id of the run that is executing in the folder of all runs; None if none is."""
    path = folder / _TURN
    try:
        return (path.read_text(errors="replace") or None) if is_locked(path) else None
    except OSError:
        return None


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


def wait_for(file: IO[bytes]) -> None:
    """Lock an open file until it is closed, as soon as nobody else does."""
    fcntl.flock(file, fcntl.LOCK_EX)


def worker(run: Path) -> int | None:
    """Id of the living process that holds the run; None if there is none, or none that this process can see.

    The id alone may belong to a process of another container, or to one that started later with the same id.
    """
    lock = run / LOCK
    try:
        process, _, started = lock.read_text().partition(" ") if is_locked(lock) else ("", "", "")
        process_id = int(process)
    except (OSError, ValueError):  # nobody holds it, or somebody has for less than an instant
        return None
    if started and started != _started(process_id):
        return None
    try:
        open_files = [file.path for file in psutil.Process(process_id).open_files()]
    except psutil.AccessDenied:  # another user's process, whose files are not to be seen
        return process_id if started else None
    except (psutil.NoSuchProcess, ValueError):  # a negative number is no id
        return None
    return process_id if any(_is_same(path, lock) for path in open_files) else None


def _started(process_id: int) -> str:
    """When a process started, in ticks since the machine did; empty if it has ended, or the system does not say.

    Unlike psutil's time it stays the same when the clock is set. The second field, a name in parentheses, may hold
    spaces.
    """
    try:
        return Path(f"/proc/{process_id}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _is_same(path: str, lock: Path) -> bool:
    """Whether a path leads to the lock file; names differ where a folder is mounted at two places."""
    try:
        return lock.samefile(path)
    except OSError:  # closed and removed in the meantime
        return False


@contextmanager
def _locked(path: Path, text: str, on_wait: Callable[[], object]) -> Iterator[IO[bytes]]:
    """Hold a lock file with a text in it, open; `on_wait` is called before waiting for another holder and may raise."""
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
            on_wait()
            wait_for(file)
        with write_errors(path):
            file.truncate(0)
            file.write(text.encode())
        yield file
