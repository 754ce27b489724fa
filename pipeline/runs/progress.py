"""How far a run is: bars in a terminal, plain lines in a pipe, and `progress.json` for every other process."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TextIO, cast

from tqdm import tqdm

from pipeline import runs
from pipeline.errors import DamagedRun
from pipeline.runs import RunDirectory
from pipeline.runs.records import StageRecord

_WRITE_EVERY_S = 0.5
_LINE_EVERY_S = 10.0


@dataclass
class StageState:
    """One stage's record in `progress.json`."""

    name: str
    state: str = "pending"
    done: int = 0
    total: int = 0
    unit: str = ""
    rate_per_s: float | None = None
    eta_s: float | None = None
    wall_s: float = 0.0


@dataclass(frozen=True)
class Attempt:
    """What an attempt at a stage took: seconds in all, seconds from its first unit on, and the units that it made.

    `earlier_s`: seconds of the attempts before it, which were stopped.
    """

    wall_s: float
    work_s: float
    made: int
    earlier_s: float


class ProgressReport(Protocol):
    """What a stage says while it works: how much there is to do, how much more is done, and lines for the log."""

    def plan(self, total: int, unit: str, done: int = 0) -> None: ...

    def advance(self, count: int = 1) -> None: ...

    def say(self, message: str) -> None: ...


class Progress:
    """Progress of a whole run; one stage is open at a time."""

    def __init__(self, run: RunDirectory, stages: list[str], out: TextIO = sys.stderr) -> None:
        self._run = run
        self._out = out
        self._stages = {name: StageState(name) for name in stages}
        self._earlier_s = _stopped_stages(run)
        self._log = (run.path / "log.txt").open("a", buffering=1)
        self._bar: tqdm | None = None
        self._current: StageState | None = None
        self._started_at = runs.now()
        self._written = self._printed = 0.0

    def already_done(self, stage: str, facts: dict[str, Any]) -> None:
        """Show a stage that an earlier attempt finished."""
        state = self._stages[stage]
        state.state, state.done = "done", int(facts.get("units", 0))
        state.total, state.unit, state.wall_s = state.done, facts.get("unit", ""), facts.get("wall_s", 0.0)

    def begin(self, stage: str) -> None:
        self._current = self._stages[stage]
        self._current.state = "running"
        self._begun = self._work_begun = time.monotonic()
        self._at_first = 0
        self.say(f"{stage}: started")
        self._write(force=True)

    def plan(self, total: int, unit: str, done: int = 0) -> None:
        """Say how much the open stage has to do and how much of it was there already."""
        state = self._open
        state.total, state.unit, state.done = total, unit, done
        self._at_first, self._work_begun = done, time.monotonic()
        if self._out.isatty():
            self._bar = tqdm(total=total, initial=done, unit=f" {unit}", desc=state.name, file=self._out, leave=True)
        self._write(force=True)

    def advance(self, count: int = 1) -> None:
        state = self._open
        state.done += count
        elapsed = time.monotonic() - self._work_begun
        made = state.done - self._at_first
        if elapsed > 0 and made > 0:
            state.rate_per_s = made / elapsed
            state.eta_s = max(0.0, (state.total - state.done) / state.rate_per_s)
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._printed > _LINE_EVERY_S:
            self._printed = time.monotonic()
            self._print(self._line(state))
        self._write()

    def end(self) -> Attempt:
        """Close the open stage; says what this attempt at it took."""
        state = self._open
        state.state, state.eta_s = "done", None
        wall_s = time.monotonic() - self._begun
        earlier_s = self._earlier_s.pop(state.name, 0.0)
        state.wall_s = earlier_s + wall_s
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self.say(f"{state.name}: done, {state.done} {state.unit} in {wall_s:.1f} s")
        self._current = None
        self._write(force=True)
        return Attempt(wall_s, time.monotonic() - self._work_begun, state.done - self._at_first, earlier_s)

    def say(self, message: str) -> None:
        """One line to the log, if the disk has room for it, and, where there is no bar, to the screen."""
        with suppress(OSError):
            self._log.write(f"{runs.now()} {message}\n")
        if self._bar is not None:
            self._bar.write(message, file=self._out)
        else:
            self._print(message)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._write(force=True)
        with suppress(OSError):
            self._log.close()

    @property
    def _open(self) -> StageState:
        if self._current is None:
            raise RuntimeError("no stage has begun")
        return self._current

    def _line(self, state: StageState) -> str:
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
            self._current.wall_s = earlier_s + time.monotonic() - self._begun
        self._run.write_progress(
            {
                "started_at": self._started_at,
                "updated_at": runs.now(),
                "stages": [cast(StageRecord, asdict(state)) for state in self._stages.values()],
            }
        )


def _stopped_stages(run: RunDirectory) -> dict[str, float]:
    """Seconds that earlier attempts spent in stages which they did not finish, by stage."""
    try:
        stages = run.progress().get("stages", [])
    except DamagedRun:  # it is written again from here on; a crash may have cut it off
        return {}
    return {stage["name"]: stage.get("wall_s", 0.0) for stage in stages if stage.get("state") == "running"}
