"""How torch's threads wait for one another: asleep.

By default they spin, which gains a tenth while nothing else runs. As soon as anything does, the dashboard beside a run
or a second run, threads that spin keep the cores from those that work, and both take up to ten times as long.
"""

from __future__ import annotations

import os


def sleep_while_waiting() -> None:
    """Call it before torch is imported; what the user has set in `OMP_WAIT_POLICY` stays."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
