"""A trainer in a process of its own: started from a list of arguments, watched line by line, ended if it hangs.

What it prints goes into a log of the run as it comes. `supervise.py` ends it when this process ends, for whatever
reason.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.errors import write_errors

_END_S = 90.0  # longer than the leash takes: ten seconds of patience, a minute to stop what works elsewhere
_LOOK_S = 0.5
_READ_BYTES = 65_536
_LINE_END = re.compile(rb"[\r\n]")
_LONGEST_LINE = 1_000_000


class Hung(Exception):
    """It printed nothing for too long, and was ended."""


def train(
    command: Sequence[str],
    log: Path,
    silence_limit_s: float,
    line: Callable[[str], None],
    *,
    environment: Mapping[str, str] | None = None,
    at_end: Sequence[str] | None = None,
) -> int:
    """Run a command to its end; returns its exit code. `line` gets every line, its progress bars' states too.

    `at_end` is what stops the work, where the command is ended before its time and only waits for it.

    Raises Hung after `silence_limit_s` seconds without a byte, NotWritten if the log cannot be written. Whatever is
    raised, here or by `line`, the command and all that it has started are ended before.
    """
    leash = [sys.executable, "-P", "-m", "pipeline.backends.openrlhf.supervise"]
    if at_end is not None:
        leash += ["--at-end", json.dumps(list(at_end))]
    with write_errors(log, "make room, then `righttree resume` goes on"):
        log.parent.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            [*leash, *command],
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
            _end(process)


def _follow(process: subprocess.Popen[bytes], log: Path, silence_limit_s: float, line: Callable[[str], None]) -> None:
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    rest, heard = b"", time.monotonic()
    with log.open("ab") as written, selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(_LOOK_S):
                silent_s = time.monotonic() - heard
                if silent_s > silence_limit_s:
                    raise Hung(f"it printed nothing for {silent_s:.0f} s")
                continue
            read = process.stdout.read(_READ_BYTES)
            if not read:
                break
            heard = time.monotonic()
            written.write(read)
            written.flush()
            *whole, rest = _LINE_END.split(rest + read)
            for one in [*whole, *([rest] if len(rest) > _LONGEST_LINE else [])]:
                line(one.decode(errors="replace"))
            rest = b"" if len(rest) > _LONGEST_LINE else rest
    if rest:
        line(rest.decode(errors="replace"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let go of the leash, which ends everything, and wait for it."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
