"""How far a run is: bars in a terminal, plain lines in a pipe, and `progress.json` for every other process."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, TextIO

from tqdm import tqdm

from pipeline import runs
from pipeline.errors import DamagedRun
from pipeline.runs import RunDirectory
from pipeline.runs.records import RunProgress, StageProgress

_WRITE_EVERY_S = 0.5
_LINE_EVERY_S = 10.0


class Attempt(NamedTuple):
    """What an attempt at a stage took: seconds, seconds from its first unit on, units, seconds of stopped attempts."""

    wall_s: float
    work_s: float
    made: int
    earlier_s: float


class Bar(tqdm):
    """A bar by a clock that nobody sets: a time of day that was set back would stop it and show times below 0."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._time = time.monotonic
        self.start_t = self.last_print_t = self._time()


class ProgressReport(Protocol):
    """What a stage reports while it works: units in total, done and given up, and lines for the log."""

    def plan(self, total: int, unit: str, done: int = 0) -> None: ...

    def advance(self, count: int = 1) -> None: ...

    def drop(self, count: int) -> None: ...

    def say(self, message: str) -> None: ...


class Progress:
    """Progress of a whole run; one stage is open at a time."""

    def __init__(self, run: RunDirectory, stages: list[str], out: TextIO = sys.stderr) -> None:
        self._run = run
        self._out = out
        self._stages = {name: StageProgress(name) for name in stages}
        self._earlier_s = _stopped_stages(run)
        self._log = (run.path / "log.txt").open("a", buffering=1)
        self._bar: Bar | None = None
        self._current: StageProgress | None = None
        self._started_at = runs.now()
        self._written = self._printed = 0.0

    def already_done(self, stage: str, facts: dict[str, Any]) -> None:
        """Show a stage that an earlier attempt finished."""
        units = int(facts.get("units", 0))
        self._stages[stage] = StageProgress(
            stage, "done", done=units, total=units, unit=facts.get("unit", ""), wall_s=facts.get("wall_s", 0.0)
        )

    def begin(self, stage: str) -> None:
        """Open a stage."""
        self._current = self._stages[stage]
        self._current.state = "running"
        self._stage_start = self._plan_start = time.monotonic()
        self._work_start: float | None = None
        self._done_before = 0
        self.say(f"{stage}: started")
        self._write(force=True)

    def plan(self, total: int, unit: str, done: int = 0) -> None:
        """Say how many units the open stage has, and how many an earlier attempt did.

        A stage with several kinds of parts says it again for each; the units of the last are those of the stage.
        """
        state = self._open
        state.total, state.unit, state.done = total, unit, done
        state.rate_per_s = state.eta_s = None
        self._done_before, self._plan_start = done, time.monotonic()
        if self._work_start is None:
            self._work_start = self._plan_start
        self._close_bar()
        if self._out.isatty():
            self._bar = Bar(total=total, initial=done, unit=f" {unit}", desc=state.name, file=self._out, leave=True)
        self._write(force=True)

    def advance(self, count: int = 1) -> None:
        """Say that the open stage has done more units."""
        state = self._open
        state.done += count
        elapsed_s = time.monotonic() - self._plan_start
        new = state.done - self._done_before
        if elapsed_s > 0 and new > 0:
            state.rate_per_s = new / elapsed_s
            state.eta_s = max(0.0, (state.total - state.done) / state.rate_per_s)
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._printed > _LINE_EVERY_S:
            self._printed = time.monotonic()
            self._print(self._line(state))
        self._write()

    def drop(self, count: int) -> None:
        """Say that the open stage gives up units: there are fewer in total."""
        state = self._open
        state.total -= count
        if self._bar is not None:
            self._bar.total = state.total
            self._bar.refresh()
        self._write(force=True)

    def end(self) -> Attempt:
        """Close the open stage; returns what this attempt took."""
        state = self._open
        state.state, state.eta_s = "done", None
        wall_s = time.monotonic() - self._stage_start
        earlier_s = self._earlier_s.pop(state.name, 0.0)
        state.wall_s = earlier_s + wall_s
        self._close_bar()
        self.say(f"{state.name}: done, {state.done} {state.unit} in {wall_s:.1f} s")
        self._current = None
        self._write(force=True)
        work_s = time.monotonic() - (self._stage_start if self._work_start is None else self._work_start)
        return Attempt(wall_s, work_s, state.done - self._done_before, earlier_s)

    def say(self, message: str) -> None:
        """Write one line to the log, if the disk has space for it, and to the screen."""
        with suppress(OSError):
            self._log.write(f"{runs.now()} {message}\n")
        if self._bar is not None:
            self._bar.write(message, file=self._out)
        else:
            self._print(message)

    def close(self) -> None:
        """Write what is left to write and close the log."""
        self._close_bar()
        self._write(force=True)
        with suppress(OSError):
            self._log.close()

    @property
    def _open(self) -> StageProgress:
        if self._current is None:
            raise RuntimeError("no stage has begun")
        return self._current

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _line(self, state: StageProgress) -> str:
        rate = f", {state.rate_per_s:.1f} {state.unit}/s" if state.rate_per_s else ""
        left = f", {state.eta_s:.0f} s left" if state.eta_s is not None else ""
        return f"{state.name}: {state.done}/{state.total} {state.unit}{rate}{left}"

    def _print(self, line: str) -> None:
        print(f"[{self._run.run_id}] {line}", file=self._out, flush=True)

    def _write(self, force: bool = False) -> None:
        if not force and time.monotonic() - self._written < _WRITE_EVERY_S:
            return
        self._written = time.monotonic()
        if self._current is not None:
            earlier_s = self._earlier_s.get(self._current.name, 0.0)
            self._current.wall_s = earlier_s + time.monotonic() - self._stage_start
        self._run.write_progress(RunProgress(self._started_at, runs.now(), tuple(self._stages.values())))


class OnlyLines:
    """The progress of work whose units are not those of the open stage: its lines are passed on, nothing else."""

    def __init__(self, progress: ProgressReport) -> None:
        self._progress = progress

    def plan(self, total: int, unit: str, done: int = 0) -> None:
        """Nothing to show."""

    def advance(self, count: int = 1) -> None:
        """Nothing to show."""

    def drop(self, count: int) -> None:
        """Nothing to show."""

    def say(self, message: str) -> None:
        self._progress.say(message)


def _stopped_stages(run: RunDirectory) -> dict[str, float]:
    """Seconds that earlier attempts spent in each stage that they did not finish."""
    try:
        stages = run.progress().stages
    except DamagedRun:  # a crash may have cut it off; it is written again from here on
        return {}
    return {stage.name: stage.wall_s for stage in stages if stage.state == "running"}
