"""Every page with a correlation explains its figures and its ceiling, and says what to beware of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.components import glossary
from pipeline.runs.exchange import import_files
from tests.app.conftest import OpenPage
from tests.helpers import simulated
from tests.helpers.reading import said
from tests.warehouse.exchange.files import long_frame, write

PAGES = [
    ("overview", {}),
    ("explore", {}),
    ("measures", {}),
    *(("test_sets", {"study": study}) for study in ("ranks", "categories", "responses", "budget")),
]
NAMES = [" ".join([name, *query.values()]) for name, query in PAGES]


@pytest.fixture(scope="module")
def ten_models_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two runs of ten reward models. Tests must not write into it."""
    home = tmp_path_factory.mktemp("ten")
    for run_id in ("one", "two"):
        simulated.publish(home, run_id=run_id, M=10, P=16, Q=16, N=8, R=4)
    return home


@pytest.fixture(scope="module")
def shared_prompts_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an import whose prompts are on both sides. Tests must not write into it."""
    folder = tmp_path_factory.mktemp("together")
    import_files(folder / "home", [write(long_frame(prompts=8), folder / "together.csv")], "together", "auto")
    return folder / "home"


def drawn(page: AppTest) -> str:
    """All charts of a page as text."""
    return "\n".join(json.dumps(json.loads(chart.proto.spec)) for chart in page.get("vega_lite_chart"))


@pytest.mark.parametrize(("name", "query"), PAGES, ids=NAMES)
def test_a_page_explains_both_answers_the_plain_figure_and_the_ceiling(
    ten_models_home: Path, open_view: OpenPage, name: str, query: dict[str, str]
) -> None:
    page = open_view(name, ten_models_home, **query)
    assert not page.exception
    text = said(page.main)
    for term in ("this test set", "the measure itself", "plain correlation", "noise ceiling"):
        assert glossary.TERMS[term] in text
    assert "leaving out each reward model in turn (jackknife)" in text
    assert "bootstrap" not in text
    assert "Rough intervals" not in text
    assert "on both sides" not in text
    assert '"ceiling"' in drawn(page)


@pytest.mark.parametrize(("name", "query"), PAGES, ids=NAMES)
def test_a_page_says_that_few_reward_models_make_rough_intervals(
    simulated_home: Path, open_view: OpenPage, name: str, query: dict[str, str]
) -> None:
    assert "**Rough intervals**: 5 reward models say little" in said(open_view(name, simulated_home, **query).main)


@pytest.mark.parametrize(("name", "query"), PAGES, ids=NAMES)
def test_a_page_says_that_prompts_are_on_both_sides_and_that_figures_are_cross_fitted(
    shared_prompts_home: Path, open_view: OpenPage, name: str, query: dict[str, str]
) -> None:
    page = open_view(name, shared_prompts_home, **query)
    assert not page.exception
    text = said(page.main)
    assert "**The same prompts on both sides**: 8 prompts" in text
    assert "correlations are cross-fitted" in text


def test_two_runs_compared_are_explained_too(ten_models_home: Path, open_view: OpenPage) -> None:
    page = open_view("runs", ten_models_home, first="one", second="two")
    assert not page.exception
    assert glossary.TERMS["noise ceiling"] in said(page.main)
    assert '"ceiling"' in drawn(page)


def test_the_tiles_of_explore_have_every_figure_with_its_name(ten_models_home: Path, open_view: OpenPage) -> None:
    page = open_view("explore", ten_models_home)
    beside = [caption.value for caption in page.caption if caption.value.startswith("**The measure itself**")]
    assert len(beside) == 4
    for line in beside:
        assert "**Plain** " in line
        assert "**Noise ceiling** " in line
        assert "permutation test)" in line
    assert sum(caption.value.startswith("this test set, 95% interval") for caption in page.caption) == 4
