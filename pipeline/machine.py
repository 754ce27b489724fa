"""The most memory that a process held, and those that it started beside it.

How torch's threads wait for one another: asleep.

By default they spin, which gains a tenth while nothing else runs. As soon as anything does, the dashboard beside a run
or a second run, threads that spin keep the cores from those that work, and both take up to ten times as long.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

_beside_bytes = 0


def note_beside(held_bytes: int) -> None:
    """Other processes, which this one started and which have ended, held so much together."""
    global _beside_bytes
    _beside_bytes = max(_beside_bytes, held_bytes)


def peak_resident_bytes() -> int:
    """The most memory that this process held, as far as it is its own, and what was noted beside it.

    `getrusage` would count that of the process which started it, too.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        own = next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return own + _beside_bytes


def sleep_while_waiting() -> None:
    """Call it before torch is imported; what the user has set in `OMP_WAIT_POLICY` stays."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
