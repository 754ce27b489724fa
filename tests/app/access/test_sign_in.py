"""Where `secrets.toml` asks for signing in, only who is signed in changes anything; everybody reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.access import sign_in
from app.views.runs import data
from pipeline.runs import jobs
from tests.app.conftest import OpenPage
from tests.helpers import simulated
from tests.helpers.reading import said
from tests.warehouse.exchange import files
from warehouse.exchange import Choices

PROVIDER = '[auth]\nredirect_uri = "http://localhost/oauth2callback"\ncookie_secret = "0123456789abcdef"\n'
ONE = PROVIDER + 'client_id = "c"\nclient_secret = "s"\nserver_metadata_url = "http://localhost/x"\n'
TWO = PROVIDER + '[auth.one]\nclient_id = "c"\n[auth.two]\nclient_id = "d"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder with a published and a stopped run."""
    return simulated.publish_beside_a_stopped_run(tmp_path / "home")


@pytest.fixture
def secrets(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Writes the server's secrets.toml."""
    before, path = st.get_option("secrets.files"), tmp_path / "secrets.toml"

    def write(text: str) -> None:
        path.write_text(text)
        st.secrets._reset()

    st.config.set_option("secrets.files", [str(path)])
    yield write
    st.config.set_option("secrets.files", before)
    st.secrets._reset()


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def clicks(page: AppTest, key: str) -> AppTest:
    """As who kept the page open from before: the button is clicked although it is not offered any more."""
    return page.button(key=key).click().run()


@pytest.mark.parametrize("text", [ONE, TWO, "[auth]\n", "[auth\n"], ids=["one", "two", "empty", "broken"])
def test_who_is_not_signed_in_reads_and_changes_nothing(
    home: Path, runs_page: OpenPage, secrets: Callable[[str], None], text: str
) -> None:
    page = runs_page(home)
    assert "Resume" in labels(page)
    secrets(text)
    page = clicks(page, "resume-stopped")
    assert not page.exception
    assert jobs.status(home, "stopped").state == "interrupted"
    page = runs_page(home)
    assert not page.exception
    assert "sign in to start" in said(page)
    assert all(label.startswith("Sign in") for label in labels(page))
    assert [box.label for box in page.expander if "run" in box.label] == []
    assert page.get("download_button")


@pytest.mark.parametrize(
    ("text", "offered"), [(ONE, ["Sign in"]), (TWO, ["Sign in with one", "Sign in with two"]), ("[auth\n", [])]
)
def test_every_provider_is_a_way_in(
    home: Path, runs_page: OpenPage, secrets: Callable[[str], None], text: str, offered: list[str]
) -> None:
    secrets(text)
    assert labels(runs_page(home)) == offered


def test_every_change_is_refused_in_one_line_before_a_job_is_asked(
    home: Path, secrets: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(home))
    scores = files.write(files.long_frame(), tmp_path / "scores.csv").read_bytes()
    before = sorted(home.rglob("*"))
    secrets(ONE)
    for change in (
        lambda: data.start("smoke", {}),
        lambda: data.resume("stopped"),
        lambda: data.retry("stopped"),
        lambda: data.cancel("stopped"),
        lambda: data.extend("stopped", {"flip_rates": [0.1]}),
        lambda: data.delete("stopped"),
        lambda: data.first_rows([("scores.csv", scores)], 3),
        lambda: data.import_uploads([("scores.csv", scores)], None, Choices()),
        lambda: data.ensemble("stopped", ["a", "b"], "mean", weight=1.0, name=None, role=None),
    ):
        with pytest.raises(sign_in.SignInRequired, match=r"^[^\n]*sign in on the page Runs$"):
            change()
    assert sorted(home.rglob("*")) == before


def test_nothing_in_app_asks_for_a_change_by_another_way() -> None:
    root = Path(sign_in.__file__).parents[1]
    changes = ("start", "resume", "retry", "cancel", "extend", "delete", "import_uploads", "ensure")
    asking = [
        f"{path.relative_to(root)}: {line.strip()}"
        for path in root.rglob("*.py")
        for line in path.read_text().splitlines()
        if any(f"jobs.{verb}(" in line for verb in changes)
    ]
    assert len(asking) >= 4
    assert [line for line in asking if not line.startswith("views/runs/data.py: ") or "_changed(" not in line] == []


def test_who_is_signed_in_may_change_and_sees_no_way_in(
    home: Path, runs_page: OpenPage, secrets: Callable[[str], None]
) -> None:
    secrets(ONE)
    page = runs_page(home)
    page.user = {"is_logged_in": True, "email": "one@example.org"}
    page = page.run()
    assert not page.exception
    assert "Resume" in labels(page)
    assert not any(label.startswith("Sign in") for label in labels(page))
    assert "sign in to start" not in said(page)


def test_without_the_section_nobody_has_to_sign_in(
    home: Path, runs_page: OpenPage, secrets: Callable[[str], None]
) -> None:
    secrets('[other]\nkey = "x"\n')
    assert "Resume" in labels(runs_page(home))
