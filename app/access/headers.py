"""What the server adds to Streamlit: headers that keep other pages from framing it and scripts from elsewhere out.

It also refuses requests for another host, and websockets opened by a page of another origin. Streamlit lets every page
of this machine in, whatever its port, so that any other local server could use the dashboard with its visitor's
cookies; and it answers for every host, so that a page could read the dashboard after its own name was pointed here.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from contextlib import suppress
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
_OTHER_HOST = (
    b"This is not a name of this server. If it should be, list it when you start the server: "
    b"STREAMLIT_SERVER_ALLOWED_HOSTS=NAME righttree app (docs/security.md)\n"
)


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


def own_host(host: str | None, names: Collection[str] = ()) -> bool:
    """Whether a request is for this server: for any address, this machine by name, or one of `names` (`*.example.org`).

    Whoever owns a name can point it here (DNS rebinding), and then their page has this server's origin; nobody can do
    so with an address. Every browser says for which host a request is; a program may leave it out.
    """
    if host is None:
        return True
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:  # a broken address
        return False
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    known = {"localhost", socket.gethostname(), *names}
    return any(_is_named(name, pattern.lower().removesuffix(".")) for pattern in known)


def _is_named(name: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return bool(name) and pattern in (name, "*")


class Guarded:
    """An ASGI application around Streamlit's: adds the headers to every answer, refuses other hosts and other pages.

    `scripts` are the texts of our own scripts in pages. `server.allowedHosts` lists names of the server,
    `server.corsAllowedOrigins` origins that may open websockets too.
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
        sent = {name: value.decode("latin-1") for name, value in scope.get("headers", ())}
        host, origin = sent.get(b"host"), sent.get(b"origin")
        is_ours = own_host(host, st.get_option("server.allowedHosts"))
        if scope["type"] == "websocket":
            is_known = same_origin(origin, host) or origin in st.get_option("server.corsAllowedOrigins")
            if not (is_ours and is_known):
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted: HTTP 403
                return
        elif not is_ours:
            headers = [(b"content-type", b"text/plain; charset=utf-8"), *self._headers.items()]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _OTHER_HOST})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [header for header in message.get("headers", []) if header[0].lower() not in self._headers]
                message["headers"] = [*others, *self._headers.items()]
            await send(message)

        await self._app(scope, receive, with_headers)
