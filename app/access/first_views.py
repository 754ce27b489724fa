"""What a page shows first is computed before a visitor asks: when the server starts, and when a build is published.

The server opens its own pages one after another, in a session like a visitor's, and drops what it is sent; the answers
stay in the caches that all sessions share. A visitor who comes meanwhile waits for the same answers, not behind them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from streamlit import runtime
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.session_manager import ClientContext

from app.access import warehouse
from app.access.meanwhile import meanwhile
from app.views import PAGES

FIRST_VIEWS = "RIGHTTREE_FIRST_VIEWS"
"""Environment variable: 0 leaves first views to the first visitors."""

_EVERY_S = 10.0
_LONGEST_S = 1800.0
_ENDED_EARLY = ForwardMsg.FINISHED_EARLY_FOR_RERUN


@asynccontextmanager
async def computed(_: Any) -> AsyncIterator[None]:
    """While the server is up, compute the first views of every build that it finds published."""
    if os.environ.get(FIRST_VIEWS) == "0":
        yield
        return
    async with meanwhile(_FirstViews().compute, _EVERY_S):
        yield


class _FirstViews:
    """The build whose first views were computed last."""

    def __init__(self) -> None:
        self._computed_for: object = None

    async def compute(self) -> None:
        """Compute those of the published build, unless they are."""
        snapshot = warehouse.snapshot()
        if snapshot != self._computed_for:
            for page in PAGES:
                await _open(page.path)
            self._computed_for = snapshot


async def _open(path: str) -> None:
    """Open a page and wait until its script has ended."""
    client, server = _Client(), runtime.get_instance()
    session = server.connect_session(client=client, user_info={})
    try:
        message = BackMsg()
        message.rerun_script.page_name = path
        server.handle_backmsg(session, message)
        with suppress(TimeoutError):  # a page without an end is left to its visitors
            await asyncio.wait_for(client.has_ended.wait(), _LONGEST_S)
    finally:
        server.close_session(session)


class _Client:
    """A browser that looks at nothing."""

    def __init__(self) -> None:
        self.has_ended = asyncio.Event()

    def write_forward_msg(self, msg: ForwardMsg) -> None:
        """Take note of the script's end."""
        if msg.WhichOneof("type") == "script_finished" and msg.script_finished != _ENDED_EARLY:
            self.has_ended.set()

    @property
    def client_context(self) -> ClientContext | None:
        """No connection, no headers."""
        return None
