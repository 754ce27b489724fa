"""`app/wording.py`: the sentences about results."""

from __future__ import annotations

from app import wording
from app.selection import Selection
from pipeline.jobs import StageProgress
from tests.app.small import OPTIONS, evaluation


def test_the_header_line_says_what_is_shown_and_where_the_intervals_come_from() -> None:
    line = wording.what_is_shown(Selection(categories=("Chat Hard",), responses=3), OPTIONS, evaluation())
    for said in (
        r"**smoke\-1**",
        "3 reward models, 6 golden–proxy pairs",
        "16 RM-test prompts (Chat Hard) × 3 responses",
        "best-of-8 valued on 12 RL-test prompts",
        "B = 1,000",
        "reward models × prompts",
    ):
        assert said in line


def test_a_foreign_name_cannot_bring_markdown_into_a_sentence() -> None:
    assert "[x]" not in wording.left_out(["run=[x](y) (not in the warehouse)"])


def test_undefined_pairs_are_counted_and_nothing_is_said_of_none() -> None:
    assert wording.undefined(evaluation(undefined_golden=0)) == "2 pairs undefined and left out"
    assert wording.undefined(evaluation()) == ""


def test_best_of_one_is_explained_as_the_initial_policy() -> None:
    assert "initial policy" in wording.nothing_defined(Selection(strength=1.0), OPTIONS)
    assert "best-of-8" in wording.nothing_defined(Selection(), OPTIONS)


def test_a_stage_tells_units_rate_and_time_left() -> None:
    stage = StageProgress("scores", "running", 320, 960, "responses", 12.34, 52.0, 26.0)
    assert wording.stage_progress(stage) == "320 of 960 responses · 12.3 per s · 52 s left"
    assert wording.share(stage) == 1 / 3


def test_a_stage_that_has_not_planned_its_work_is_starting() -> None:
    assert wording.stage_progress(StageProgress("scores", "running", 0, 0, "", None, None, 0.0)) == "starting"


def test_an_optimizer_that_is_not_known_is_called_by_its_name() -> None:
    assert wording.optimizer("dpo").at.format(3) == "dpo at 3"


def test_a_commit_is_shortened_and_a_package_version_is_not() -> None:
    assert wording.manifest_line({"code_version": "a" * 40 + "+dirty"}).startswith(r"code aaaaaaaaaa\+dirty")
    assert wording.manifest_line({"code_version": "0.1.0"}).startswith(r"code 0\.1\.0")
