"""Every page opens on a run that was scored elsewhere, and says nothing about it that is not known."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import app.views
from pipeline.runs.exchange import import_files
from tests.app.conftest import OpenPage
from tests.warehouse.exchange import files
from warehouse import exchange

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


@pytest.fixture(scope="module")
def ragged_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an imported run of ragged prompts with labels, a human golden and own categories."""
    folder = tmp_path_factory.mktemp("ragged")
    number = pl.col("prompt_id").str.slice(1).cast(pl.Int64())
    response = pl.col("response_id").str.slice(1).cast(pl.Int64())
    frame = files.wide_frame(files.described(files.long_frame(prompts=12, responses=5)))
    frame = frame.filter(response < 2 + number % 4).rename({"small": "human"})
    frame = frame.with_columns(
        label=(response == number % 2).cast(pl.Int64()),
        category=pl.when(number % 3 == 0).then(pl.lit("Own")),
        subset=pl.lit("mine"),
    )
    scores = files.write(frame, folder / "scores.parquet")
    import_files(folder / "home", [scores], "theirs", "auto", exchange.Choices(golden=("human",)))
    return folder / "home"


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_opens_on_ragged_prompts_with_scorers_that_are_golden_only(
    view: str, ragged_home: Path, open_view: OpenPage
) -> None:
    page = open_view(view, ragged_home)
    assert not page.exception
    assert not page.error


@pytest.mark.parametrize(("name", "line"), [("label", "the labels that came"), ("human", "grades that people gave")])
def test_a_scorer_that_is_no_reward_model_says_what_it_is(
    name: str, line: str, ragged_home: Path, open_view: OpenPage
) -> None:
    page = open_view("reward_models", ragged_home, reward_model=name)
    assert not page.exception
    assert any(line in caption.value for caption in page.caption)
    assert any("number of characters" in caption.value for caption in page.caption)
