"""A process's use of the machine: its peak memory, and threads that sleep while they wait.

By default torch's threads spin, which is a tenth faster while nothing else runs. As soon as something does (the
dashboard, a second run), spinning threads take the cores from working ones, and both take up to ten times as long.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

_beside_bytes = 0


def note_beside(held_bytes: int) -> None:
    """Note the memory that other processes, which this one started, held together."""
    global _beside_bytes
    _beside_bytes = max(_beside_bytes, held_bytes)


def peak_resident_bytes() -> int:
    """Peak memory of this process, plus what `note_beside` noted; `getrusage` would also count its parent's."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        own = next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return own + _beside_bytes


def sleep_while_waiting() -> None:
    """Call this before importing torch; `OMP_WAIT_POLICY` is not changed if the user has set it."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
