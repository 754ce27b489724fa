"""The Runs page: real runs, one stopped on the way, and none at all."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from pipeline import runs
from pipeline.config import load_profile
from pipeline.flow import STAGES
from pipeline.progress import Progress
from pipeline.runs import RunDirectory
from tests.app.conftest import OpenPage


def begun(home: Path, run_id: str) -> tuple[RunDirectory, Progress]:
    """A run directory in which the first stage is half done."""
    run = runs.create(home, load_profile("smoke"), run_id)
    with (home / "console.txt").open("w") as console:
        progress = Progress(run, list(STAGES), console)
        progress.begin(STAGES[0])
        progress.plan(40, "prompts")
        progress.advance(20)
        progress._write(force=True)
    return run, progress


def badges(page: AppTest) -> list[str]:
    return [element.value for element in page.markdown if "-badge[" in element.value]


def test_a_finished_run_shows_how_it_was_made(smoke_home: Path, runs_page: OpenPage) -> None:
    page = runs_page(smoke_home)
    assert not page.exception
    assert any("finished" in badge for badge in badges(page))
    assert "How it was made" in [expander.label for expander in page.expander]


def test_a_running_run_shows_its_stages_with_what_is_done(tmp_path: Path, runs_page: OpenPage) -> None:
    run, _ = begun(tmp_path, "now")
    with run.working():
        page = runs_page(tmp_path)
    assert not page.exception
    assert any("running" in badge for badge in badges(page))
    assert any("20 of 40 prompts" in caption.value for caption in page.caption)
    assert [caption.value for caption in page.caption].count("to come") == len(STAGES) - 1


def test_a_stopped_run_says_how_to_take_it_up(tmp_path: Path, runs_page: OpenPage) -> None:
    begun(tmp_path, "stopped")
    page = runs_page(tmp_path)
    assert not page.exception
    assert any("interrupted" in badge for badge in badges(page))
    assert "righttree resume stopped" in [code.value for code in page.code]


def test_a_failed_run_says_why(tmp_path: Path, runs_page: OpenPage) -> None:
    run, _ = begun(tmp_path, "failed")
    run.write_error("the model is not here: put it into <b>models</b>")
    page = runs_page(tmp_path)
    assert not page.exception
    assert "the model is not here" in page.error[0].value
    assert "<b>" not in page.error[0].value


def test_without_a_run_the_page_says_how_to_start_one(tmp_path: Path, runs_page: OpenPage) -> None:
    page = runs_page(tmp_path)
    assert not page.exception
    assert "righttree run --profile quick" in [code.value for code in page.code]


def test_the_explore_page_shows_the_progress_of_the_first_run(tmp_path: Path, explore: OpenPage) -> None:
    run, _ = begun(tmp_path, "first")
    with run.working():
        page = explore(tmp_path)
    assert not page.exception
    assert any("20 of 40 prompts" in caption.value for caption in page.caption)
