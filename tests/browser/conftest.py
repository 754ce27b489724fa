"""A real Chromium against the real server. Skipped only where no Chromium is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser import serving

_PATIENCE_MS = 30_000

Serve = Callable[[Path], str]
OpenAddress = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    with sync_playwright() as playwright:
        chromium = serving.chromium(playwright)
        if chromium is None:
            pytest.skip(f"no Chromium found: none of {', '.join(serving.NAMES)} on PATH, none installed by Playwright")
        yield chromium
        chromium.close()


@pytest.fixture
def open_address(browser: Browser) -> Iterator[OpenAddress]:
    """Opens an address in a fresh session; what the page's scripts complain of fails the test."""
    troubles: list[str] = []
    with ExitStack() as contexts:

        def open_page(address: str, width: int = 1400, color_scheme: Literal["light", "dark"] = "light") -> Page:
            context = browser.new_context(viewport={"width": width, "height": 1800}, color_scheme=color_scheme)
            contexts.callback(context.close)
            context.set_default_timeout(_PATIENCE_MS)
            page = context.new_page()
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.on("console", lambda said: troubles.append(said.text) if _is_trouble(said) else None)
            page.goto(address)
            return page

        yield open_page
    assert troubles == []


def _is_trouble(said: ConsoleMessage) -> bool:
    """Whether the console reports an error, or Vega warns of a chart.

    Streamlit looks for its server below a page's own path first: no error.
    """
    if said.type == "warning":
        return said.text.startswith("WARN")
    return said.type == "error" and "/_stcore/" not in said.location["url"]


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Serves the dashboard on a data folder by `righttree app`, once per folder; gives its address."""
    addresses: dict[Path, str] = {}
    with ExitStack() as servers:

        def address_of(home: Path) -> str:
            if home not in addresses:
                addresses[home] = servers.enter_context(serving.served(home, tmp_path_factory.mktemp("server")))
            return addresses[home]

        yield address_of
