"""`app/run_wording.py`: the sentences about runs."""

from __future__ import annotations

from app import run_wording
from pipeline.jobs import StageProgress


def test_a_stage_tells_units_rate_and_time_left() -> None:
    stage = StageProgress("scores", "running", 320, 960, "responses", 12.34, 52.0, 26.0)
    assert run_wording.stage_progress(stage) == "320 of 960 responses · 12.3 per s · 52 s left"
    assert run_wording.share(stage) == 1 / 3


def test_a_stage_that_has_not_planned_its_work_is_starting() -> None:
    assert run_wording.stage_progress(StageProgress("scores", "running", 0, 0, "", None, None, 0.0)) == "starting"


def test_a_commit_is_shortened_and_a_package_version_is_not() -> None:
    assert run_wording.manifest_line({"code_version": "a" * 40 + "+dirty"}).startswith(r"code aaaaaaaaaa\+dirty")
    assert run_wording.manifest_line({"code_version": "0.1.0"}).startswith(r"code 0\.1\.0")
