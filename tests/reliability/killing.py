"""`kill -9` at random moments: a run is worked on by process after process, each killed, until one reaches the end.

The moment is so many seconds after the process has begun to work, drawn by the seed; every other time it is the next
moment at which a file is half written. A run that ends is held against an uninterrupted one and another is begun, until
there were as many kills as were asked for.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from polars.testing import assert_frame_equal

from pipeline import runs
from pipeline.config import Config
from pipeline.runs import RunDirectory, jobs
from pipeline.stages import STAGES
from tests.pipeline.runs.test_resume import resumed, rows
from warehouse.schema import TABLES

_START_S = 120.0
_HALF_WRITTEN_S = 5.0


@dataclass(frozen=True)
class Whole:
    """An uninterrupted run."""

    data: Path
    run_id: str

    @property
    def config(self) -> Config:
        return runs.open_run(self.data, self.run_id).config


@dataclass
class Killed:
    """Kills by the stage that was at work, and how many runs came to their end in spite of them."""

    profile: str
    stages: Counter[str] = field(default_factory=Counter)
    half_written: int = 0
    runs: int = 0
    seconds: float = 0.0

    @property
    def kills(self) -> int:
        return self.stages.total()

    @property
    def line(self) -> str:
        """What the document says of it."""
        stages = ", ".join(f"{stage} {self.stages[stage]}" for stage in STAGES if self.stages[stage])
        return (
            f"{self.kills} kills ({stages}), {self.half_written} of them while a file was half written, over "
            f"{self.runs} runs of `{self.profile}` in {self.seconds / 60:.0f} minutes: every run ended with the rows "
            "of an uninterrupted one, no row twice, no temporary file left."
        )


def kill_runs(data: Path, whole: Whole, kills: int, longest_s: float, seed: int) -> Killed:
    """Kill runs of the same settings so many times, each at most `longest_s` seconds after a process began to work."""
    rng, done, begun = Random(seed), Killed(whole.config.profile), time.monotonic()
    while done.kills < kills:
        run = runs.create(data, whole.config, f"killed-{done.runs}")
        while done.kills < kills and _killed(data, run, rng, longest_s, done):
            pass
        _finish(data, run)
        _compare(data, run, whole)
        done.runs += 1
    done.seconds = time.monotonic() - begun
    return done


def _killed(data: Path, run: RunDirectory, rng: Random, longest_s: float, done: Killed) -> bool:
    """Work on the run and kill; False where it came to its end before."""
    process = resumed(data, run.run_id)
    _wait(lambda: run.is_running or process.poll() is not None, _START_S)
    time.sleep(rng.uniform(0, longest_s))
    aimed = rng.random() < 0.5
    hit = aimed and _wait(lambda: _is_half_written(data, run) or process.poll() is not None, _HALF_WRITTEN_S)
    if process.poll() is not None:
        assert jobs.status(data, run.run_id).state == "finished", run.error()
        return False
    process.send_signal(signal.SIGKILL)
    process.wait()
    states = {stage.name: stage.state for stage in run.progress().stages}
    at_work = [stage for stage in STAGES if states.get(stage) != "done"]
    done.stages[at_work[0] if at_work else STAGES[-1]] += 1
    done.half_written += bool(hit)
    return True


def _is_half_written(data: Path, run: RunDirectory) -> bool:
    try:
        files = [*run.path.rglob(".partial-*"), *data.glob(".warehouse-*")]
    except OSError:  # renamed while it was looked for
        return False
    return any(not path.name.endswith("progress.json") for path in files)


def _finish(data: Path, run: RunDirectory) -> None:
    process = resumed(data, run.run_id)
    assert process.wait() == 0, run.error()
    assert jobs.status(data, run.run_id).state == "finished"


def _compare(data: Path, run: RunDirectory, whole: Whole) -> None:
    for table in TABLES:
        assert_frame_equal(rows(data, run.run_id, table), rows(whole.data, whole.run_id, table))
    assert list(data.rglob(".partial-*")) == []
    assert list(data.glob(".warehouse-*")) == []


def _wait(holds: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.001)
    return held
