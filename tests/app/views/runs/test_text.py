"""`app/views/runs/text.py`: the sentences about runs."""

from __future__ import annotations

from dataclasses import replace

from app.views.runs import text
from pipeline.runs.jobs import Estimate, StageProgress


def test_a_stage_tells_units_rate_and_time_left() -> None:
    stage = StageProgress("scores", "running", 320, 960, "responses", 12.34, 52.0, 26.0)
    assert text.stage_progress(stage) == "320 of 960 responses · 12.3 per s · 52 s left"
    assert text.share(stage) == 1 / 3


def test_a_stage_that_has_not_planned_its_work_is_starting() -> None:
    assert text.stage_progress(StageProgress("scores", "running", 0, 0, "", None, None, 0.0)) == "starting"


def test_a_commit_is_shortened_and_a_package_version_is_not() -> None:
    assert text.manifest_line({"code_version": "a" * 40 + "+dirty"}).startswith(r"code aaaaaaaaaa\+dirty")
    assert text.manifest_line({"code_version": "0.1.0"}).startswith(r"code 0\.1\.0")


def test_an_estimate_says_by_which_runs_and_what_it_does_not_know() -> None:
    found = Estimate(1022.0, 2**31, False, 5 * 2**20, {}, ("run a-1", "run b"))
    assert text.estimated(found, 2**40).replace("\\", "") == (
        "About 17 min; up to 2.0 GiB of memory; 5 MiB of disk space (1,024.0 GiB free). "
        "Estimated from run a-1 and run b."
    )
    unsure = text.estimated(replace(found, wall_s=None, disk_bytes=None, memory_is_least=True), 0)
    assert unsure.startswith("Time unknown; at least 2.0 GiB of memory; disk space unknown")
    assert "unknown" in text.estimated(Estimate(None, None, False, None, {}, ()), 0)
