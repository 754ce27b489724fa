"""Pages under Streamlit's AppTest, on real warehouses: of the smoke run, and of runs made of numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.helpers import simulated
from tests.helpers.study import Study, publish

_TIMEOUT_S = 60.0

OpenPage = Callable[..., AppTest]


@pytest.fixture(scope="session")
def simulated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one simulated run, its prompts in all four categories. Tests must not write into it."""
    return simulated.publish(tmp_path_factory.mktemp("simulated-home"))


@pytest.fixture
def explore(open_view: OpenPage) -> OpenPage:
    """Opens the Explore page of a data folder, at an address with the given parameters."""
    return partial(open_view, "explore")


@pytest.fixture
def runs_page(monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Opens the Runs page of a data folder."""

    def page() -> None:
        from app.views.runs import page as runs_page

        runs_page.show()

    def open_page(home: Path) -> AppTest:
        monkeypatch.setenv("RIGHTTREE_HOME", str(home))
        return AppTest.from_function(page, default_timeout=_TIMEOUT_S).run()

    return open_page


@pytest.fixture
def open_view(monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Opens a view by the name of its module, on a data folder, at an address with the given parameters."""

    def view(name: str) -> None:
        import importlib

        importlib.import_module(f"app.views.{name}.page").show()

    def open_page(name: str, home: Path, **query: str | list[str]) -> AppTest:
        monkeypatch.setenv("RIGHTTREE_HOME", str(home))
        page = AppTest.from_function(view, args=(name,), default_timeout=_TIMEOUT_S)
        for parameter, value in query.items():
            page.query_params[parameter.replace("_", "-")] = value
        return page.run()

    return open_page


@pytest.fixture(scope="session")
def study_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one simulated run with best-of-n and PPO. Tests must not write into it."""
    return publish(tmp_path_factory.mktemp("study-home"), Study(ppo_steps=(5, 10, 20, 40)))


@pytest.fixture(scope="session")
def without_ppo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one simulated run of best-of-n alone. Tests must not write into it."""
    return publish(tmp_path_factory.mktemp("without-ppo-home"), Study())
