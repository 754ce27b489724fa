"""A command on a leash: `python -m pipeline.leash COMMAND…` runs it, and ends it with whoever holds the standard input.

When the standard input closes, because its holder closed it or is gone, however it went, everything that the command
has started is ended: first asked, then killed. So a trainer with processes of its own, some in sessions of their own,
as Ray's are, never outlives the pipeline. Exits as the command did. With `--at-end JSON`, a further command, a JSON
list of its arguments, is run where the first was ended before its time: what stops a job that works elsewhere.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_S = 10.0
_AT_END_S = 60.0


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code, 128 + N if signal N ended it, or 143 if it was ended here."""
    at_end: list[str] | None = None
    if arguments[:1] == ["--at-end"]:
        at_end, arguments = json.loads(arguments[1]), arguments[2:]
    _adopt()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the holder decides
    threading.Thread(target=_hold, args=(ended,), daemon=True).start()
    try:
        process = subprocess.Popen(list(arguments), stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{arguments[0]}: {error.strerror}", flush=True)
        return 127
    while process.poll() is None and not ended.wait(0.05):
        pass
    before_its_time = process.poll() is None
    _end_all(_PATIENCE_S if before_its_time else 0.0)
    if before_its_time:
        if at_end is not None:
            none = subprocess.DEVNULL  # nobody reads what this prints any more
            subprocess.run(at_end, stdin=none, stdout=none, stderr=none, timeout=_AT_END_S, check=False)
        return 128 + signal.SIGTERM
    code = process.returncode
    return code if code >= 0 else 128 - code


def _hold(ended: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    ended.set()


def _adopt() -> None:
    """Become the parent of what the command's processes leave behind, so that it can be found; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_all(patience_s: float) -> None:
    """End all descendants: those that do not listen within the time by force."""
    _signal_all(signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while _living() and time.monotonic() < deadline:
        time.sleep(0.05)
    while _living():  # one may have started another in the meantime
        _signal_all(signal.SIGKILL)
        time.sleep(0.02)


def _signal_all(number: signal.Signals) -> None:
    for process in _descendants():
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue


def _living() -> bool:
    """Whether a descendant is left, after the dead ones have been taken leave of."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return True
        except ChildProcessError:
            return False


def _descendants() -> list[int]:
    """All processes below this one."""
    children: dict[int, list[int]] = {}
    for process, parent in _processes():
        children.setdefault(parent, []).append(process)
    found, rest = [], children.get(os.getpid(), [])
    while rest:
        process = rest.pop()
        found.append(process)
        rest += children.get(process, [])
    return found


def _processes() -> Iterator[tuple[int, int]]:
    """Every living process with its parent: by `/proc`, or by `ps` where there is none."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
        yield from ((int(process), int(parent)) for process, parent in map(str.split, listed.splitlines()))
        return
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):  # it has just ended
            continue
        if state != "Z":
            yield int(path.parent.name), int(parent)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
