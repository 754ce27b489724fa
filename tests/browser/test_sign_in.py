"""Signing in at a real provider: before it no job is started, whatever is clicked or sent; after it one is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from streamlit.proto.WidgetStates_pb2 import WidgetState

from pipeline.runs import jobs
from tests.browser.conftest import OpenAddress
from tests.browser.serving import free_port, served, served_by
from tests.helpers import simulated
from tests.reliability.streamlit_client import Session, has_key, keyed

pytest.importorskip("authlib", reason="signing in needs Authlib: pip install 'righttree[sign-in]'")

from joserfc.jwk import RSAKey

from tests.browser.provider import Provider, provider

pytestmark = pytest.mark.browser


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder with a published and a stopped run."""
    return simulated.publish_beside_a_stopped_run(tmp_path / "home")


@pytest.fixture
def guarded(home: Path, tmp_path: Path) -> Iterator[tuple[str, Provider]]:
    """The address of a server that asks who one is, and the provider that it asks."""
    port = free_port()
    with provider(f"http://127.0.0.1:{port}/oauth2callback") as found:
        settings = tmp_path / "guarded" / ".streamlit"
        settings.mkdir(parents=True)
        (settings / "secrets.toml").write_text(found.secrets_toml)
        with served_by(home, settings.parent, port) as (address, _):
            yield address, found


def signed_in(page: Page, name: str) -> None:
    """Go to the provider, give a name there, and come back."""
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Go on").click()


def test_a_run_is_resumed_by_who_has_signed_in_and_by_nobody_before(
    home: Path, tmp_path: Path, guarded: tuple[str, Provider], open_address: OpenAddress
) -> None:
    address, found = guarded
    (tmp_path / "open").mkdir()
    with served(home, tmp_path / "open") as unguarded:
        shown = Session(unguarded, "runs")
        shown.load()
        button = keyed(shown, "resume-stopped")
        shown.close()
    attacker = Session(address, "runs")
    assert attacker.load().exceptions == []
    assert not has_key(attacker, "resume-stopped")
    assert attacker.send(WidgetState(id=button.id, trigger_value=True)).exceptions == []
    attacker.close()

    page = open_address(f"{address}/runs")
    expect(page.get_by_text("sign in to start, stop and import runs")).to_be_visible()
    expect(page.get_by_text("simulated", exact=True).first).to_be_visible()  # everybody may read
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)
    assert jobs.status(home, "stopped").state == "interrupted"
    assert found.signed == []

    signed_in(page, "ada")
    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_role("button", name="Sign in")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    assert found.signed == ["ada"]
    assert jobs.status(home, "stopped").state == "running"
    jobs.cancel(home, "stopped")

    stranger = open_address(f"{address}/runs")  # another browser: signing in was the first one's alone
    expect(stranger.get_by_role("button", name="Sign in")).to_be_visible()
    expect(stranger.get_by_role("button", name="Resume")).to_have_count(0)


def test_a_token_that_another_key_has_signed_lets_nobody_in(
    home: Path, guarded: tuple[str, Provider], open_address: OpenAddress
) -> None:
    address, found = guarded
    found.signs_with = RSAKey.generate_key(2048, {"kid": "one"})
    page = open_address(f"{address}/runs")
    signed_in(page, "mallory")
    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)
    assert found.signed == ["mallory"]  # the token was asked for, and refused
