"""Every page opens on a run that was scored elsewhere, and says nothing about it that is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

import app.views
from pipeline.runs.exchange import import_files
from tests.app.conftest import OpenPage
from tests.warehouse.exchange import files

VIEWS = sorted(path.parent.name for path in Path(app.views.__file__).parent.glob("*/page.py"))


@pytest.fixture(scope="module")
def imported_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one imported run. Tests must not write into it."""
    folder = tmp_path_factory.mktemp("imported")
    scores = files.write(files.described(files.long_frame(prompts=12, responses=4)), folder / "scores.parquet")
    import_files(folder / "home", [scores], "theirs", "auto")
    return folder / "home"


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_opens_on_an_imported_run(view: str, imported_home: Path, open_view: OpenPage) -> None:
    page = open_view(view, imported_home)
    assert not page.exception
    assert not page.error


def test_what_is_not_known_of_its_reward_models_is_not_shown(imported_home: Path, open_view: OpenPage) -> None:
    page = open_view("reward_models", imported_home)
    shown = {metric.label for metric in page.metric}
    assert not shown & {"Labels flipped", "Training pairs", "Trained", "Seed", "Validation accuracy"}
    assert "Reward variance" in "\n".join(caption.value for caption in page.caption)
    explore = open_view("explore", imported_home)
    charts = "\n".join(str(chart.proto.spec) for chart in explore.get("vega_lite_chart"))
    assert '"value"' in charts
    assert "labels flipped" not in charts.lower()
