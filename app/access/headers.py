"""What the server adds to Streamlit: headers that keep other pages from framing it and scripts from elsewhere out.

It also refuses websockets opened by a page of another origin. Streamlit lets every page of this machine in, whatever
its port, so that any other local server could use the dashboard with its visitor's cookies.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Served = Callable[[Message, Receive, Send], Awaitable[None]]

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_PORTS = {"http": 80, "https": 443}


def policy(scripts: Sequence[str] = ()) -> str:
    """The content security policy: scripts of Streamlit's own files, and what its pages need besides.

    Its first page has scripts in its text, which are allowed by their hashes, as are our own `scripts`. Styles are made
    by Streamlit's scripts, pictures and downloads are data in the page. A package for long numbers tries WebAssembly.
    """
    page = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    digests = (hashlib.sha256(text.encode()).digest() for text in (*_INLINE.findall(page), *scripts))
    inline = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    sources = {
        "default-src": "'self'",
        "script-src": f"'self' 'wasm-unsafe-eval' {inline}",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {allowed}" for name, allowed in sources.items())


def same_origin(origin: str | None, host: str | None) -> bool:
    """Whether a page of this origin is one of this host, port included; programs send no origin."""
    if origin is None:
        return True
    try:
        page, server = urlsplit(origin), urlsplit(f"//{host}")
        default = _PORTS.get(page.scheme)
        return (page.hostname, page.port or default) == (server.hostname, server.port or default)
    except ValueError:  # no number as a port
        return False


class Guarded:
    """An ASGI application around Streamlit's: adds the headers to every answer, refuses websockets of other pages.

    `scripts` are the texts of our own scripts in pages. `server.corsAllowedOrigins` lists origins that may open
    websockets too.
    """

    def __init__(self, app: Served, scripts: Sequence[str] = ()) -> None:
        self._app = app
        headers = {
            "Content-Security-Policy": policy(scripts),
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }
        self._headers = {name.lower().encode(): value.encode() for name, value in headers.items()}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or open one websocket."""
        if scope["type"] == "websocket":
            sent = {name: value.decode("latin-1") for name, value in scope["headers"]}
            origin = sent.get(b"origin")
            if not same_origin(origin, sent.get(b"host")) and origin not in st.get_option("server.corsAllowedOrigins"):
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted: HTTP 403
                return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [header for header in message.get("headers", []) if header[0].lower() not in self._headers]
                message["headers"] = [*others, *self._headers.items()]
            await send(message)

        await self._app(scope, receive, with_headers)
