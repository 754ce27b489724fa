"""A run's progress is that of the whole run, however often it was stopped."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import tqdm.std

from pipeline import runs
from pipeline.config import load_profile
from pipeline.runs import progress
from pipeline.runs.progress import Progress


class Clock:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_a_stage_that_was_stopped_has_the_seconds_of_all_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    run = runs.create(tmp_path, load_profile("smoke"), "stopped")
    first = Progress(run, ["prompts", "scores"], io.StringIO())
    first.begin("prompts")
    first.end()
    first.begin("scores")
    first.plan(10, "texts")
    clock.seconds += 60.0
    first.advance(4)  # and is killed here

    stopped = json.loads((run.path / "progress.json").read_text())["stages"][1]
    assert stopped["state"] == "running"
    assert stopped["wall_s"] == 60.0

    second = Progress(run, ["prompts", "scores"], io.StringIO())
    second.begin("prompts")  # done before: made anew, it begins at zero
    assert second.end().earlier_s == 0.0
    second.begin("scores")
    second.plan(10, "texts", 4)
    clock.seconds += 5.0
    second.advance(6)
    attempt = second.end()
    second.close()
    assert (attempt.earlier_s, attempt.wall_s) == (60.0, 5.0)
    assert attempt.made == 6
    shown = run.progress().stages[1]
    assert shown.wall_s == 65.0
    assert shown.state == "done"

    third = Progress(run, ["prompts", "scores"], io.StringIO())
    third.begin("scores")
    assert third.end().earlier_s == 0.0


class Terminal(io.StringIO):
    """What a bar is drawn on."""

    def isatty(self) -> bool:
        return True


def test_a_bar_goes_on_and_shows_no_time_below_zero_though_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, day = Clock(), iter([1e9, *[1e9 - 3600] * 100])
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(tqdm.std, "time", lambda: next(day))
    terminal = Terminal()
    shown = Progress(runs.create(tmp_path, load_profile("smoke"), "one"), ["scores"], terminal)
    shown.begin("scores")
    shown.plan(10, "texts")
    clock.seconds += 60.0
    shown.advance(4)
    assert "4/10 [01:00<01:30, 15.00s/ texts]" in terminal.getvalue().rpartition("\r")[2]
    shown.end()
    shown.close()


def test_a_stage_of_several_kinds_of_parts_counts_the_last_and_the_seconds_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    run = runs.create(tmp_path, load_profile("smoke"), "two-kinds")
    shown = Progress(run, ["ppo"], io.StringIO())
    shown.begin("ppo")
    clock.seconds += 2.0  # loading a model
    shown.plan(40, "responses")
    clock.seconds += 10.0
    shown.advance(40)
    shown.plan(6, "steps of training")
    clock.seconds += 5.0
    shown.advance(2)
    now = json.loads((run.path / "progress.json").read_text())["stages"][0]
    assert (now["done"], now["total"], now["unit"]) == (2, 6, "steps of training")
    assert now["rate_per_s"] == pytest.approx(0.4)
    assert now["eta_s"] == pytest.approx(10.0)
    clock.seconds += 10.0
    shown.advance(4)
    attempt = shown.end()
    shown.close()
    assert (attempt.made, attempt.work_s, attempt.wall_s) == (6, 25.0, 27.0)
