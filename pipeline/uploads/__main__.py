"""`python -m pipeline.uploads FOLDER BYTES SECONDS`: do what the folder's request says, within these limits.

Prints the answer, or the error that is meant for the user, as one line of JSON. `pipeline.uploads.child` starts it.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.uploads import child, work
from warehouse.errors import WarehouseError


def main(folder: str, most_memory_bytes: str, most_s: str) -> int:
    """Returns the exit code."""
    _limit(int(most_memory_bytes), float(most_s))
    try:
        said = {"answer": work.answer(Path(folder))}
    except MemoryError:
        return child.OUT_OF_MEMORY
    except (PipelineError, WarehouseError) as error:
        if isinstance(error.__cause__, MemoryError):
            return child.OUT_OF_MEMORY
        said = {"error": {"kind": type(error).__name__, "message": str(error)}}
    print(json.dumps(said, default=str))
    return 0


def _limit(most_memory_bytes: int, most_s: float) -> None:
    """Limit memory and time of this process, and let the system end it before others when memory is short."""
    resource.setrlimit(resource.RLIMIT_DATA, (most_memory_bytes, most_memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most_cpu_s = math.ceil(most_s * (os.cpu_count() or 1))  # ends it if the server that waits for it is gone
    resource.setrlimit(resource.RLIMIT_CPU, (most_cpu_s, most_cpu_s))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
