"""Several `righttree app` behind the proxy of `docs/haproxy.cfg`, as docs/reliability.md says."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from app.access.first_views import FIRST_VIEWS
from tests.browser.serving import free_port, served_by, wait_for_first_views

CONFIGURATION = Path(__file__).parent.parent.parent / "docs" / "haproxy.cfg"
WORKERS = 2
"""How many the configuration has."""
_AS_SHIPPED = {FIRST_VIEWS: "1"}


class Served(NamedTuple):
    """The address that visitors use, and the servers' processes."""

    address: str
    servers: Sequence[int]


def has_proxy() -> bool:
    """Whether HAProxy is installed."""
    return shutil.which("haproxy") is not None


@contextmanager
def served_by_workers(home: Path, place: Path, workers: int = WORKERS) -> Iterator[Served]:
    """Serve a data folder by one process, or by as many as the configuration has, each with a log in a folder of its
    own below `place`. First views are computed.
    """
    with ExitStack() as stack:
        if workers == 1:
            address, server = stack.enter_context(served_by(home, place, **_AS_SHIPPED))
            wait_for_first_views(address)
            yield Served(address, [server])
            return
        assert workers == WORKERS
        ports = [free_port() for _ in range(workers)]
        servers = []
        for number, port in enumerate(ports):
            (folder := place / f"worker-{number}").mkdir()
            address, server = stack.enter_context(served_by(home, folder, port, **_AS_SHIPPED))
            wait_for_first_views(address)
            servers.append(server)
        yield Served(stack.enter_context(_proxied(place, ports)), servers)


@contextmanager
def _proxied(place: Path, ports: Sequence[int]) -> Iterator[str]:
    port = free_port()
    text = CONFIGURATION.read_text(encoding="utf-8")
    for old, new in (("bind :8500", f"bind 127.0.0.1:{port}"), (":8501", f":{ports[0]}"), (":8502", f":{ports[1]}")):
        text, replaced = re.subn(re.escape(old), new, text)
        assert replaced == 1, f"{CONFIGURATION.name} has {old} {replaced} times"
    (place / "haproxy.cfg").write_text(text)
    proxy = subprocess.Popen(["haproxy", "-db", "-f", str(place / "haproxy.cfg")])
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        proxy.kill()
        proxy.wait()


def _wait_until_up(address: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
