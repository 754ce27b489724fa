"""The process that reads uploaded files: how it is started, limited, and what it says when it ends too early.

The limit counts memory that a process writes to (`RLIMIT_DATA`). The size of its address space, `RLIMIT_AS`, would not
do: DuckDB hangs when it meets that limit, and the allocators of machines with many cores reserve far more than they
use.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from pipeline import errors as pipeline_errors
from pipeline.errors import InvalidUpload, PipelineError
from warehouse import errors as warehouse_errors
from warehouse.exchange.reading.limits import memory_bytes

MOST_MEMORY_BYTES = min(4 * 2**30, memory_bytes() // 2)
"""Most memory that reading the files of one upload may take."""

MOST_SECONDS = 300
"""Longest time that it may take; a visitor waits as long for the files of another one."""

OUT_OF_MEMORY = 3
"""Exit code of a process that reached the limit and could still say so."""

_ELSE = "import it with `righttree import`, which has no such limit"
_turn = threading.Semaphore(1)  # one after the other: the limit is of all uploads of a server together


def execute(folder: Path, most_memory_bytes: int = MOST_MEMORY_BYTES, most_s: float = MOST_SECONDS) -> dict[str, Any]:
    """Do what the folder's request says in another process; returns its answer (`work.answer`).

    Raises InvalidUpload if it takes too much memory or time, and what the process raised.
    """
    if not _turn.acquire(timeout=MOST_SECONDS):
        raise InvalidUpload("the files of other visitors are still being read; try again in some minutes")
    try:
        # -P: a file in the server's folder must not replace a module of the same name
        command = [sys.executable, "-P", "-m", "pipeline.uploads", str(folder), str(most_memory_bytes), str(most_s)]
        process = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=most_s, check=False, env=_environment()
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidUpload(f"reading the files takes longer than {most_s:g} s; {_ELSE}") from error
    finally:
        _turn.release()
    if process.returncode == 0:
        answered = json.loads(process.stdout.splitlines()[-1])
        if "error" in answered:
            raise _error(**answered["error"])
        answer: dict[str, Any] = answered["answer"]
        return answer
    if process.returncode < 0 or process.returncode == OUT_OF_MEMORY:  # ended by a signal: Polars ends itself so
        raise InvalidUpload(f"reading the files takes more than {most_memory_bytes // 2**20:,} MiB of memory; {_ELSE}")
    sys.stderr.write(process.stderr.decode(errors="replace"))
    raise InvalidUpload("the files could not be read: their reader failed; the server's log says why")


def _environment() -> dict[str, str]:
    """The server's, in which Polars neither shows backtraces nor looks for them, which would take minutes."""
    return {**os.environ, "RUST_BACKTRACE": "0"}


def _error(kind: str, message: str) -> Exception:
    """The error that the process raised; one of a kind with other arguments as the root of the pipeline's errors."""
    known = getattr(pipeline_errors, kind, None) or getattr(warehouse_errors, kind, None)
    if isinstance(known, type) and issubclass(known, Exception) and known is not pipeline_errors.InvalidSetting:
        return known(message)
    return PipelineError(message)
