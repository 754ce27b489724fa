"""A run that is resumed and killed several times, each time while a file is written but does not have its name yet."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_SCRIPT = """
import os, signal, sys
import pipeline.models.language_model, pipeline.models.optimizers, pipeline.models.reward_model
from pipeline.__main__ import main
from pipeline.runs.progress import Progress
from pipeline.runs import RunDirectory

def work(run_id, killed_in, killed_at):
    begin, write_atomically, writes = Progress.begin, RunDirectory.write_atomically, {}

    def begin_stage(self, stage):
        writes.update(stage=stage, count=0)
        begin(self, stage)

    def write_and_die(self, path, write):
        def half_way(temporary):
            write(temporary)
            os.kill(os.getpid(), signal.SIGKILL)

        if writes.get("stage") == killed_in:
            writes["count"] += 1
        write_atomically(self, path, half_way if writes.get("count") == killed_at else write)

    Progress.begin, RunDirectory.write_atomically = begin_stage, write_and_die
    main(["resume", run_id])

run_id, *kills = sys.argv[1:]
for stage, number in zip(kills[::2], kills[1::2]):
    if os.fork() == 0:
        work(run_id, stage, int(number))
        os._exit(1)
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


def killed(data: Path, run_id: str, kills: Sequence[tuple[str, int]]) -> list[int]:
    """Exit codes of processes that resume the run, each killed in its stage at its n-th file, a part or the marker."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, run_id, *(str(word) for kill in kills for word in kill)],
        env={**os.environ, "RIGHTTREE_HOME": str(data)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(code) for code in done.stdout.split()]
