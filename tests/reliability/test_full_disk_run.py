"""A disk that fills up under a real run, in the middle of what a stage writes: a line, and it goes on with room."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.runs import jobs
from tests.app.conftest import OpenPage
from tests.conftest import TINY_RUN
from tests.reliability.conftest import Resume
from tests.reliability.disks import Disk
from tests.reliability.test_disk import published
from tests.reliability.undone import assert_like_the_uninterrupted, copied, half_written, stage_parts, undo
from tests.warehouse.rows import tiny_run
from warehouse import ingest, store

pytestmark = pytest.mark.reliability


@pytest.mark.parametrize("disk", ["512m"], indirect=True)
@pytest.mark.parametrize("stage", ["reward_models", "test_responses", "ppo", "publish"])
def test_a_run_whose_disk_fills_up_in_a_stage_says_so_and_goes_on_once_there_is_room(
    disk: Disk,
    tiny_home: Path,
    stage: str,
    resume: Resume,
    capsys: pytest.CaptureFixture[str],
    open_view: OpenPage,
) -> None:
    ingest.publish(disk.home, tiny_run("first"), "test")
    run = copied(tiny_home, disk.home)
    parts = len(stage_parts(run, stage))
    writes = undo(run, stage)
    if stage == "publish":
        writes = (tiny_home / str(store.build_id(tiny_home))).stat().st_size
    disk.fill(leave_bytes=writes // 2)

    assert resume(disk.home) == 2
    *_, line = (said := capsys.readouterr().err).splitlines()
    assert "Traceback" not in said
    assert re.fullmatch(r"righttree: [^:]* cannot be written \(.*No space left on device.*\).* make room.*", line)
    status = jobs.status(disk.home, TINY_RUN)
    assert (status.state, status.error) == ("failed", line.removeprefix("righttree: "))
    page = open_view("runs", disk.home)
    assert not page.exception
    assert any("No space left on device" in error.value for error in page.error)
    assert not run.is_done(stage)
    assert (parts == 0) == (stage == "publish")
    assert stage == "publish" or len(stage_parts(run, stage)) < parts
    assert half_written(disk.home) == []
    assert published(disk.home) == {"first": 12}

    disk.make_room()
    assert resume(disk.home) == 0
    assert_like_the_uninterrupted(disk.home, tiny_home)
    assert set(published(disk.home)) == {"first", TINY_RUN}
