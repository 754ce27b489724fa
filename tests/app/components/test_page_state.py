"""The run that a session has chosen holds on every page, whichever way one goes there."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import app
from tests.helpers import simulated
from tests.helpers.reading import address


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
    assert run_shown(page) is None
    (control,) = [box for box in page.selectbox if box.label == "Run"]
    page = control.select("one").run()
    assert run_shown(page) == "one"
    page = go(page, "overview")
    assert run_shown(page) == "one"
    (control,) = [box for box in page.selectbox if box.label == "Run"]
    page = go(control.select("").run(), first)
    assert run_shown(page) is None
    assert address(page) == {}


def test_a_link_to_another_run_wins() -> None:
    page = go(opened("explore", run="one"), "overview", run="two")
    assert run_shown(page) == "two"
    assert run_shown(go(page, "explore")) == "two"


def test_a_run_that_is_not_there_is_noted_once() -> None:
    page = opened("explore", run="gone")
    assert len(page.warning) == 1
    assert run_shown(page) is None
    assert not go(page, "overview").warning


def test_the_entry_point_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    page = AppTest.from_file(str(Path(app.__file__).parent / "main.py"), default_timeout=60)
    page.query_params["run"] = "one"
    assert run_shown(page.run()) == "one"
