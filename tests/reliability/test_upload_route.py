"""The route for uploaded files, on a real server: PUTs without a page, more than is allowed, sessions that ended."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.browser.serving import _wait_until_healthy, free_port, served_by
from tests.reliability.streamlit_client import Session

pytestmark = pytest.mark.reliability

MIB = 2**20
SERVED = """\
import streamlit as st
from starlette.middleware import Middleware
from app.access.uploads import Limited, freeing

limits = {"of_session_bytes": 40 * 2**20, "of_all_bytes": 60 * 2**20}
app = st.App("page.py", middleware=[Middleware(Limited, **limits)], lifespan=freeing)
"""
Serve = Callable[..., tuple[str, int]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server with a page that has no uploader, and limits of 40 MiB for a session and 60 in all."""
    (tmp_path / "page.py").write_text("import streamlit as st\n\nst.title('No uploader')\n")
    (tmp_path / "served.py").write_text(SERVED)
    with ExitStack() as servers:
        yield lambda **environment: servers.enter_context(_served(tmp_path, environment))


@contextmanager
def _served(folder: Path, environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "served.py", f"--server.port={port}", "--server.headless=true"]
    command += ["--server.address=127.0.0.1", "--server.disconnectedSessionTTL=1", "--browser.gatherUsageStats=false"]
    with (folder / "server.log").open("w") as log:
        own = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
        server = subprocess.Popen(command, cwd=folder, env=own, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_healthy(f"http://127.0.0.1:{port}/_stcore/health", server, folder / "server.log")
            yield f"127.0.0.1:{port}", server.pid
        finally:
            server.kill()
            server.wait()


def opened(address: str) -> Session:
    session = Session(f"http://{address}", "")
    session.load()
    return session


def put(address: str, session_id: str, content: bytes, name: str = "file", **headers: Any) -> int:
    """The status of the answer to an upload; what it says of its length may be more than what is sent."""
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", "/_stcore/health")
    answer = connection.getresponse()
    answer.read()
    token = SimpleCookie(answer.headers["Set-Cookie"])["_streamlit_xsrf"].value
    begin = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\n'
    body = begin + content + b"\r\n--x--\r\n"
    connection.putrequest("PUT", f"/_stcore/upload_file/{session_id}/{name}")
    for key, value in {
        "Content-Type": "multipart/form-data; boundary=x",
        "X-Xsrftoken": token,
        "Cookie": f"_streamlit_xsrf={token}",
        "Content-Length": len(body),
        **headers,
    }.items():
        if value is not None:
            connection.putheader(key, str(value))
    connection.endheaders()
    if "Content-Length" not in headers:
        connection.send(body)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_read_only_server_receives_no_file(serve: Serve) -> None:
    address, process = serve(RIGHTTREE_READ_ONLY="1")
    session = opened(address)
    before = psutil.Process(process).memory_info().rss
    for number in range(6):
        assert put(address, session.session_id, b"", str(number), **{"Content-Length": 190 * MIB}) == 403
    assert put(address, session.session_id, b"a,b\n") == 403
    assert psutil.Process(process).memory_info().rss < before + 20 * MIB


def test_the_dashboard_receives_none_where_it_only_reads(tmp_path: Path) -> None:
    with served_by(tmp_path / "home", tmp_path, RIGHTTREE_READ_ONLY="1") as (address, _):
        session = Session(address, "")
        session.load()
        assert put(address.removeprefix("http://"), session.session_id, b"a,b\n") == 403


def test_a_visitor_and_all_visitors_together_have_limits_and_what_is_removed_makes_room(serve: Serve) -> None:
    address, _ = serve()
    first, second = opened(address), opened(address)
    assert put(address, first.session_id, bytes(30 * MIB)) == 204
    assert put(address, first.session_id, bytes(0), "more", **{"Content-Length": 11 * MIB}) == 413
    assert put(address, first.session_id, bytes(9 * MIB), "more") == 204
    assert put(address, second.session_id, bytes(0), **{"Content-Length": 25 * MIB}) == 503
    assert put(address, second.session_id, bytes(19 * MIB)) == 204
    assert put(address, second.session_id, b"", **{"Content-Length": None, "Transfer-Encoding": "chunked"}) == 411
    assert put(address, "nobody", b"", **{"Content-Length": 1}) == 400


def test_files_of_a_session_that_has_ended_are_freed_without_another_visitor(serve: Serve) -> None:
    address, process = serve()
    session = opened(address)
    before = psutil.Process(process).memory_info().rss
    assert put(address, session.session_id, bytes(39 * MIB)) == 204
    assert psutil.Process(process).memory_info().rss > before + 35 * MIB
    time.sleep(7)
    assert psutil.Process(process).memory_info().rss > before + 35 * MIB, "a visitor who is there keeps them"
    session.close()
    deadline = time.monotonic() + 30
    while psutil.Process(process).memory_info().rss > before + 20 * MIB:
        assert time.monotonic() < deadline
        time.sleep(0.5)
