"""Runs a command and ends it with whoever holds the standard input.

`python -m pipeline.backends.openrlhf.supervise COMMAND…`

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
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil

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
    try:
        process = subprocess.Popen(list(arguments), stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{arguments[0]}: {error.strerror}", flush=True)
        return 127
    for wait in (_until_input_closes, process.wait):
        threading.Thread(target=_then_set, args=(wait, ended), daemon=True).start()
    ended.wait()
    before_its_time = process.poll() is None
    _end_all(_PATIENCE_S if before_its_time else 0.0)
    if before_its_time:
        if at_end is not None:
            none = subprocess.DEVNULL  # nobody reads what this prints any more
            subprocess.run(at_end, stdin=none, stdout=none, stderr=none, timeout=_AT_END_S, check=False)
        return 128 + signal.SIGTERM
    code = process.returncode
    return code if code >= 0 else 128 - code


def _until_input_closes() -> None:
    while os.read(0, 4096):
        pass


def _then_set(wait: Callable[[], object], ended: threading.Event) -> None:
    wait()
    ended.set()


def _adopt() -> None:
    """Become the parent of what the command's processes leave behind, so that it can be found; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_all(patience_s: float) -> None:
    """End all descendants: first ask, then kill those that are still alive after `patience_s` seconds."""
    asked = _descendants()
    for process in asked:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(asked, timeout=patience_s)
    while remaining := _descendants():  # one may have started another in the meantime
        for process in remaining:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(remaining, timeout=_PATIENCE_S)


def _descendants() -> list[psutil.Process]:
    """All living processes below this one."""
    return [process for process in psutil.Process().children(recursive=True) if _is_alive(process)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
