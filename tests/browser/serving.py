"""What drives the dashboard from outside: the served app as its own process, and a Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright

from app.access.first_views import FIRST_VIEWS
from app.views import PAGES

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SERVER_START_S = 60.0
_FIRST_VIEWS_S = 300.0


def chromium(playwright: Playwright) -> Browser | None:
    """A headless Chromium; None where there is none."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None and not Path(playwright.chromium.executable_path).exists():
        return None
    return playwright.chromium.launch(executable_path=executable, headless=True, args=FLAGS)


@contextmanager
def served(home: Path, folder: Path) -> Iterator[str]:
    """The address of `righttree app` on a data folder, up until the block ends; its log goes into the other folder."""
    with served_by(home, folder) as (address, _):
        yield address


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def served_by(home: Path, folder: Path, port: int | None = None, **environment: str) -> Iterator[tuple[str, int]]:
    """The same with the id of its process, at a port of its own choice, and with more in its environment.

    First views are left to the visitors: most tests look at few pages.
    """
    port = port or free_port()
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "app", "--port", str(port)],
            cwd=folder,
            env={**os.environ, "RIGHTTREE_HOME": str(home), FIRST_VIEWS: "0", **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_healthy(f"http://127.0.0.1:{port}/_stcore/health", server, folder / "server.log")
            yield f"http://127.0.0.1:{port}", server.pid
        finally:
            server.terminate()
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def metrics(address: str) -> dict[str, float]:
    """What Streamlit counts of itself: sessions, and the hits and misses of caches."""
    with urllib.request.urlopen(f"{address}/_stcore/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def wait_for_first_views(address: str, builds: int = 1) -> None:
    """Wait until the server has opened every page for so many builds, and closed it again."""
    deadline = time.monotonic() + _FIRST_VIEWS_S
    while time.monotonic() < deadline:
        counted = metrics(address)
        opened = counted.get('session_events_total{type="connect"}', 0)
        if opened >= builds * len(PAGES) and not counted["active_sessions"]:
            return
        time.sleep(0.2)
    raise RuntimeError(f"the server at {address} did not compute first views")


def _wait_until_healthy(health: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _SERVER_START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(health, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the server at {health} did not start:\n{log.read_text()}")
