"""A small OpenID provider on this machine: authorisation code flow, PKCE, ID tokens signed by RS256, a key set.

OpenID Connect Core 1.0, section 3.1. Whoever gives a name is let in; all else is checked as a provider has to check it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

_PAGE = """<!doctype html><link rel="icon" href="data:,"><title>Provider</title>
<form method="post" action="/signed-in"><input type="hidden" name="asked" value="{asked}">
<label>Name <input name="name"></label><button>Go on</button></form>"""


@dataclass
class Provider:
    """Its address, its client, and what it has given out; `signs_with` another key than it publishes is a forger."""

    address: str
    redirect_uri: str
    client_id: str = "righttree"
    client_secret: str = field(default_factory=secrets.token_urlsafe)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    signs_with: RSAKey | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    signed: list[str] = field(default_factory=list)

    @property
    def secrets_toml(self) -> str:
        """What the server has to be told of it."""
        return (
            f'[auth]\nredirect_uri = "{self.redirect_uri}"\ncookie_secret = "{secrets.token_urlsafe(32)}"\n'
            f'client_id = "{self.client_id}"\nclient_secret = "{self.client_secret}"\n'
            f'server_metadata_url = "{self.address}/.well-known/openid-configuration"\n'
        )

    @property
    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def code(self, asked: str, name: str) -> str:
        """Where who has signed in is sent back to."""
        request = dict(parse_qsl(asked))
        assert request["client_id"] == self.client_id
        assert request["redirect_uri"] == self.redirect_uri
        assert request["response_type"] == "code"
        code = secrets.token_urlsafe()
        self.codes[code] = {**request, "name": name}
        return f"{self.redirect_uri}?{urlencode({'code': code, 'state': request['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """The answer to a code that was given out, once, to the client that shows its secret."""
        if authorization.startswith("Basic "):
            shown = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            form |= {"client_id": unquote(shown[0]), "client_secret": unquote(shown[2])}
        request = self.codes.pop(form["code"])
        assert (form["client_id"], form["client_secret"]) == (self.client_id, self.client_secret)
        assert form["redirect_uri"] == request["redirect_uri"]
        if "code_challenge" in request:
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == request["code_challenge"]
        now, name = int(time.time()), request["name"]
        claims = {"iss": self.address, "aud": self.client_id, "iat": now, "exp": now + 600, "sub": name, "name": name}
        claims |= {"email": f"{name}@example.org"} | {key: request[key] for key in ("nonce",) if key in request}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.signs_with or self.key)
        self.signed.append(name)
        return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "expires_in": 600, "id_token": token}


@contextmanager
def provider(redirect_uri: str) -> Iterator[Provider]:
    """A provider that is up until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path)
            if path.path == "/authorize":
                self._answer(200, "text/html", _PAGE.format(asked=html.escape(path.query)))
            elif path.path == "/keys":
                self._json({"keys": [found.key.as_dict(private=False, use="sig", alg="RS256")]})
            elif path.path == "/.well-known/openid-configuration":
                self._json(found.metadata)
            else:
                self._answer(404, "text/plain", "")

        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            if self.path == "/token":
                self._json(found.token(form, self.headers.get("Authorization", "")))
            else:
                self.send_response(303)
                self.send_header("Location", found.code(form["asked"], form["name"]))
                self.end_headers()

        def _json(self, content: dict[str, Any]) -> None:
            self._answer(200, "application/json", json.dumps(content))

        def _answer(self, status: int, kind: str, content: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Provider(f"http://127.0.0.1:{server.server_port}", redirect_uri)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield found
        finally:
            server.shutdown()
