"""Runs a trainer in a process that never outlives the pipeline: its output is read and logged, and a hang ends it.

`train` starts this module as a supervisor, `python -m pipeline.backends.openrlhf.trainer [--at-end JSON] COMMAND…`,
which runs the command. When the supervisor's standard input closes, because the pipeline closed it or died (even by
`kill -9`), it ends everything that the command has started: first SIGTERM, then SIGKILL. Ray's processes are in
sessions of their own, so a process group is not enough. `--at-end` is a command, a JSON list, that stops a job
elsewhere; it is run if the trainer was ended early or failed. The supervisor's exit code is the command's.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from pipeline.errors import write_errors

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_S = 10.0
_AT_END_S = 60.0
_SUPERVISOR_END_S = _PATIENCE_S + _AT_END_S + 20.0
_READ_BYTES = 65_536
_LINE_END = re.compile(rb"[\r\n]")
_LONGEST_LINE = 1_000_000


class Hung(Exception):
    """The trainer printed nothing for too long and was ended."""


def train(
    command: Sequence[str],
    log: Path,
    silence_limit_s: float,
    line: Callable[[str], None],
    *,
    environment: Mapping[str, str] | None = None,
    at_end: Sequence[str] | None = None,
) -> int:
    """Run a command to its end; returns its exit code. `line` gets every line, including states of progress bars.

    `at_end` stops work elsewhere for which the command only waits; it is run unless the command succeeds. Raises Hung
    after `silence_limit_s` seconds without a byte, NotWritten if the log cannot be written. Whatever is raised, here or
    by `line`, the command and all that it has started are ended first.
    """
    supervisor = [sys.executable, "-P", "-m", "pipeline.backends.openrlhf.trainer"]
    if at_end is not None:
        supervisor += ["--at-end", json.dumps(list(at_end))]
    with write_errors(log, "free some space, then resume with `righttree resume`"):
        log.parent.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            [*supervisor, *command],
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _follow(process, log, silence_limit_s, line)
            return process.wait()
        finally:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            try:
                process.wait(_SUPERVISOR_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _follow(process: subprocess.Popen[bytes], log: Path, silence_limit_s: float, line: Callable[[str], None]) -> None:
    assert process.stdout is not None
    rest = b""
    with log.open("ab") as file, selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(silence_limit_s):
                raise Hung(f"it printed nothing for {silence_limit_s:.0f} s")
            chunk = os.read(process.stdout.fileno(), _READ_BYTES)
            if not chunk:
                break
            file.write(chunk)
            file.flush()
            *lines, rest = _LINE_END.split(rest + chunk)
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for text in lines:
                line(text.decode(errors="replace"))
    if rest:
        line(rest.decode(errors="replace"))


def supervise(arguments: Sequence[str]) -> int:
    """Run the command until it ends or standard input closes.

    Returns its exit code, 128 + N if signal N ended it, 143 if it was ended here.
    """
    at_end: list[str] | None = None
    if arguments[:1] == ["--at-end"]:
        at_end, arguments = json.loads(arguments[1]), arguments[2:]
    if sys.platform == "linux":  # become the parent of orphaned descendants, so that they can be found
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the pipeline, which decides
    try:
        process = subprocess.Popen(list(arguments), stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{arguments[0]}: {error.strerror}", flush=True)
        return 127
    for wait in (_until_input_closes, process.wait):
        threading.Thread(target=_set_after, args=(wait, ended), daemon=True).start()
    ended.wait()
    early = process.poll() is None
    _end_all(_PATIENCE_S if early else 0.0)
    code = process.returncode
    if at_end is not None and (early or code):
        null = subprocess.DEVNULL  # nobody reads the output any more
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(at_end, stdin=null, stdout=null, stderr=null, timeout=_AT_END_S, check=False)
    if early:
        return 128 + signal.SIGTERM
    return code if code >= 0 else 128 - code


def _until_input_closes() -> None:
    while os.read(0, 4096):
        pass


def _set_after(wait: Callable[[], object], event: threading.Event) -> None:
    wait()
    event.set()


def _end_all(patience_s: float) -> None:
    """End all descendants: SIGTERM, then SIGKILL for those that are still alive after `patience_s` seconds."""
    terminated = _descendants()
    for process in terminated:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(terminated, timeout=patience_s)
    while remaining := _descendants():  # one may have started another in the meantime
        for process in remaining:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(remaining, timeout=_PATIENCE_S)


def _descendants() -> list[psutil.Process]:
    """All living processes below this one."""
    living = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                living.append(process)
    return living


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:]))
