"""The run that a session has chosen holds on every page, whichever way one goes there."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

import app
from tests.app.popovers import opened as with_opened
from tests.helpers import simulated
from tests.helpers.reading import address, said
from warehouse import labels


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the runs `one` and, newer by its name, `two`."""
    folder = tmp_path_factory.mktemp("two-runs")
    for run_id in ("one", "two"):
        simulated.publish(folder, run_id=run_id, P=8, Q=8, M=3)
    return folder


def view(name: str) -> None:
    import importlib

    import streamlit as st

    st.session_state.setdefault("view", name)
    importlib.import_module(f"app.views.{st.session_state['view']}.page").show()


def opened(name: str, **query: str) -> AppTest:
    page = AppTest.from_function(view, args=(name,), default_timeout=60)
    for parameter, value in query.items():
        page.query_params[parameter] = value
    return page.run()


def go(page: AppTest, name: str, **query: str) -> AppTest:
    """To another page, as the navigation bar leads there: at an address without parameters, or those given."""
    page.session_state["view"] = name
    page.query_params.clear()
    for parameter, value in query.items():
        page.query_params[parameter] = value
    return page.run()


def run_shown(page: AppTest) -> str | None:
    assert not page.exception
    (control,) = [box for box in page.selectbox if box.label == "Run"]
    return control.value or None


@pytest.fixture(autouse=True)
def _in_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(home))


PAGES = (
    "overview",
    "choose",
    "explore",
    "measures",
    "reward_models",
    "responses",
    "overoptimisation",
    "test_sets",
    "audit",
)


def test_a_run_chosen_by_a_link_holds_on_every_page_and_in_its_address() -> None:
    page = opened("overview", run="one")
    for name in (*PAGES[1:], "overview"):
        page = go(page, name)
        assert run_shown(page) == "one"
        assert address(page)["run"] == ["one"]
    page = go(page, "runs")
    assert address(page) == {"run": ["one"]}


@pytest.mark.parametrize("first", ["explore", "responses"])
def test_a_run_chosen_by_the_control_holds_on_pages_seen_before(first: str) -> None:
    page = go(opened("overview"), first)
    assert run_shown(page) == "two"
    (control,) = [box for box in page.selectbox if box.label == "Run"]
    page = control.select("one").run()
    assert run_shown(page) == "one"
    page = go(page, "overview")
    assert run_shown(page) == "one"
    assert address(page) == {"run": ["one"]}


@pytest.mark.parametrize("name", PAGES)
def test_an_address_always_names_its_run_and_so_does_the_link_to_copy(name: str) -> None:
    page = opened(name)
    assert not page.exception
    assert address(page)["run"] == ["two"]
    assert not [code.value for code in page.code if "run=" in code.value]
    page = with_opened(page, "copy-link")
    (link,) = [code.value for code in page.code if "run=" in code.value]
    assert parse_qs(urlsplit(link).query) == address(page)


def test_the_pinned_run_is_shown_first_and_a_link_without_parameters_shows_it(home: Path) -> None:
    labels.pin(home, "one")
    try:
        assert run_shown(opened("overview")) == "one"
        assert run_shown(opened("explore", measure="brier")) == "one"
    finally:
        labels.pin(home, None)


def test_whether_a_figure_is_a_table_is_in_the_link() -> None:
    page = opened("explore")
    page.segmented_control(key="view-matrix").set_value("Table").run()
    assert address(page) == {"run": ["two"], "table": ["matrix"]}
    again = opened("explore", run="two", table="matrix")
    assert len(again.dataframe) == 1
    assert len(again.get("vega_lite_chart")) == len(opened("explore").get("vega_lite_chart")) - 1
    again.segmented_control(key="view-matrix").set_value("Chart").run()
    assert address(again) == {"run": ["two"]}
    assert len(again.dataframe) == 0


def test_a_link_to_another_run_wins() -> None:
    page = go(opened("explore", run="one"), "overview", run="two")
    assert run_shown(page) == "two"
    assert run_shown(go(page, "explore")) == "two"


def test_a_run_that_is_not_here_is_offered_another_and_the_other_pages_stay_as_they_are() -> None:
    page = opened("explore", run="gone")
    assert page.title[0].value == "Run gone is not here"
    assert page.get("vega_lite_chart") == []
    assert not go(page, "overview").warning
    assert run_shown(page) == "two"


def test_a_link_without_a_run_that_fits_another_one_offers_to_open_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated.publish(tmp_path, run_id="large", P=8, Q=8, M=5)
    simulated.publish(tmp_path, run_id="small", P=8, Q=8, M=2)
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path))
    page = opened("explore", golden="flip-0.300", proxy="flip-0.400")
    assert page.title[0].value == "Which run is this link for?"
    assert "golden=flip" in page.warning[0].value
    assert page.get("vega_lite_chart") == []
    page.button(key="open-run.large").click().run()
    assert run_shown(page) == "large"
    assert address(page) == {"run": ["large"], "golden": ["flip-0.300"], "proxy": ["flip-0.400"]}
    page = opened("explore", golden="flip-0.300", proxy="flip-0.400").button(key="open-run.small").click().run()
    assert run_shown(page) == "small"
    assert address(page) == {"run": ["small"]}
    assert not opened("explore", golden="nobody").title[0].value.startswith("Which run")


def test_a_run_without_results_yet_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(simulated.publish_beside_a_stopped_run(tmp_path)))
    page = opened("explore", run="stopped")
    assert "it is interrupted" in said(page)


def test_the_entry_point_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    page = AppTest.from_file(str(Path(app.__file__).parent / "main.py"), default_timeout=60)
    page.query_params["run"] = "one"
    assert run_shown(page.run()) == "one"
