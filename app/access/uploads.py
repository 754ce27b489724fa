"""The server's route for uploaded files: refused where it only reads, else limited, and freed when a session has ended.

Streamlit takes `PUT /_stcore/upload_file/SESSION/FILE` on every server, whatever its pages show, and holds the files in
memory; those of a session that has ended, until somebody visits next.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

import streamlit as st
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.access.headers import Message, Receive, Send, Served
from app.access.meanwhile import meanwhile
from pipeline.runs import jobs

OF_SESSION_BYTES = jobs.MOST_BYTES + 2**20
"""Most bytes that the files of one visitor may have together: those of one import, and what is around them in HTTP."""

OF_ALL_BYTES = 5 * OF_SESSION_BYTES
"""Most bytes of the files of all visitors together."""

_ROUTE = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+/?$")
_EVERY_S = 5.0


class Refusal(NamedTuple):
    """A status of HTTP and why."""

    status: int
    reason: str


class Limited:
    """An ASGI application around Streamlit's, which takes uploads within limits.

    What is refused is not received. Files that are held and files that are arriving count.
    """

    def __init__(self, app: Served, of_session_bytes: int = OF_SESSION_BYTES, of_all_bytes: int = OF_ALL_BYTES) -> None:
        self._app = app
        self._of_session_bytes, self._of_all_bytes = of_session_bytes, of_all_bytes
        self._arriving: Counter[str] = Counter()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route = _ROUTE.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        session, size = route[1], _length(scope["headers"])
        refusal = self._refusal(session, size)
        if refusal is not None:
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
            await send({"type": "http.response.body", "body": refusal.reason.encode()})
            return
        self._arriving[session] += size
        try:
            await self._app(scope, receive, send)
        finally:
            self._arriving[session] -= size
            self._arriving += Counter()  # leaves out what is 0

    def _refusal(self, session: str, size: int) -> Refusal | None:
        if jobs.is_read_only():
            return Refusal(403, "this server only reads: it takes no files")
        if size < 0:
            return Refusal(411, "say how long the file is")
        if not runtime.exists() or not runtime.get_instance().is_active_session(session):
            return Refusal(400, "no such session")
        held = _held()
        if held[session] + self._arriving[session] + size > self._of_session_bytes:
            return Refusal(413, "more than one visitor may upload: remove files, or load the page again")
        if held.total() + self._arriving.total() + size > self._of_all_bytes:
            return Refusal(503, "the server holds the files of other visitors: try again in some minutes")
        return None


@asynccontextmanager
async def freeing(_: st.App) -> AsyncIterator[None]:
    """While the server is up, free the files of sessions that are disconnected longer than Streamlit keeps them."""
    async with meanwhile(_Leftovers().free, _EVERY_S):
        yield


class _Leftovers:
    """The sessions that have ended and whose files are held, with when that was seen, by the monotonic clock."""

    def __init__(self) -> None:
        self._ended: dict[str, float] = {}

    async def free(self) -> None:
        held = set(_held())
        gone = {session for session in held if not runtime.get_instance().is_active_session(session)}
        self._ended = {session: self._ended.get(session, time.monotonic()) for session in gone}
        for session, since in self._ended.items():
            if time.monotonic() - since >= st.get_option("server.disconnectedSessionTTL"):
                _manager().remove_session_files(session)


def forget(file_ids: Iterable[str]) -> None:
    """Free files of this session that were read."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        for file_id in file_ids:
            context.uploaded_file_mgr.remove_file(context.session_id, file_id)


def _manager() -> MemoryUploadedFileManager:
    manager = runtime.get_instance().uploaded_file_mgr
    assert isinstance(manager, MemoryUploadedFileManager)
    return manager


def _held() -> Counter[str]:
    """Bytes of the files that are held, by session."""
    stored = list(_manager().file_storage.items()) if runtime.exists() else []
    return Counter({session: sum(len(file.data) for file in list(files.values())) for session, files in stored})


def _length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The length that a request states; −1 if none, or no number."""
    stated = dict(headers).get(b"content-length", b"")
    return int(stated) if stated.isdigit() else -1
