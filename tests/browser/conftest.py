"""A real Chromium against the real server. Skipped only where no Chromium is found."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SERVER_START_S = 60.0
_PATIENCE_MS = 30_000

Serve = Callable[[Path], str]
OpenAddress = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    with sync_playwright() as playwright:
        if executable is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip(f"no Chromium found: none of {', '.join(_NAMES)} on PATH, none installed by Playwright")
        chromium = playwright.chromium.launch(executable_path=executable, headless=True, args=_FLAGS)
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
    """Whether the console reports an error. Streamlit looks for its server below a page's own path first: no error."""
    return said.type == "error" and "/_stcore/" not in said.location["url"]


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Serves the dashboard on a data folder by `righttree app`, once per folder; gives its address."""
    addresses: dict[Path, str] = {}
    with ExitStack() as servers:

        def address_of(home: Path) -> str:
            if home not in addresses:
                addresses[home] = servers.enter_context(_served(home, tmp_path_factory.mktemp("server")))
            return addresses[home]

        yield address_of


@contextmanager
def _served(home: Path, folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "app", "--port", str(port)],
            cwd=folder,
            env={**os.environ, "RIGHTTREE_HOME": str(home)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_healthy(f"http://127.0.0.1:{port}/_stcore/health", server, folder / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_healthy(health: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _SERVER_START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(health, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server at {health} did not start:\n{log.read_text()}")
