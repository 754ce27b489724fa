"""`kill -9` at random moments costs time and nothing else; `test_resume.py` kills in every stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import TINY_RUN
from tests.reliability import killing

pytestmark = [pytest.mark.reliability, pytest.mark.nightly]

KILLS = 5
"""`python -m tests.reliability.report` does 50."""


def test_a_run_killed_at_random_moments_ends_with_the_rows_of_an_uninterrupted_one(
    tiny_home: Path, tmp_path: Path
) -> None:
    whole = killing.Whole(tiny_home, TINY_RUN)
    done = killing.kill_runs(tmp_path, whole, KILLS, longest_s=3.0, seed=0)
    assert done.kills == KILLS
    assert done.runs >= 1
