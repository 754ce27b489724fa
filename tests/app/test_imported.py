"""The pages about reward models, responses and policies on an imported run, of which little but scores is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.__main__ import main
from tests.app.conftest import OpenPage
from tests.app.reading import figures, said
from tests.warehouse.outside import files


@pytest.fixture
def imported_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with scores of three reward models, imported."""
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    scores = files.write(files.long_frame(prompts=12, responses=8), tmp_path / "scores.parquet")
    assert main(["import", str(scores), "--run-id", "theirs"]) == 0
    return tmp_path / "home"


@pytest.mark.parametrize("view", ["overview", "overoptimisation", "reward_models", "responses"])
def test_every_page_shows_an_imported_run(imported_home: Path, open_view: OpenPage, view: str) -> None:
    page = open_view(view, imported_home)
    assert not page.exception
    assert not page.warning


def test_nothing_is_said_of_a_training_that_is_not_recorded(imported_home: Path, open_view: OpenPage) -> None:
    page = open_view("reward_models", imported_home)
    assert "made elsewhere and imported" in said(page)
    assert not figures(page)
    table = page.dataframe[0].value
    assert "validation_accuracy" not in table.columns
    assert "reward_variance" in table.columns
