"""Work in a process of its own, with its seconds and its greatest memory; Linux."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Measured:
    """What work gave, the seconds it took, and the greatest resident bytes meanwhile."""

    found: Any
    seconds: float
    peak_bytes: int


def apart(work: Callable[..., Any], *arguments: object, most_bytes: int | None = None) -> Measured:
    """Do it in a fresh process. With more than `most_bytes` of data it gets a MemoryError, which is raised here."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_here, most_bytes, work, arguments).result()


def here(work: Callable[..., Any], *arguments: object) -> Measured:
    """Do it in this process; the greatest memory is that since now."""
    Path("/proc/self/clear_refs").write_text("5")  # sets the mark back to what is resident now
    begun = time.perf_counter()
    found = work(*arguments)
    return Measured(found, time.perf_counter() - begun, peak_bytes())


def peak_bytes() -> int:
    """Greatest resident bytes of this process since the mark was set back."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024


def _here(most_bytes: int | None, work: Callable[..., Any], arguments: tuple[object, ...]) -> Measured:
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))
    return here(work, *arguments)
