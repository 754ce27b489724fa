"""Where the dashboard listens: whether the address and port can be had, and who could use them, before anything starts.

An address that other machines reach needs an answer to who may change runs: nobody, signed-in people, or everybody.
"""

from __future__ import annotations

import ipaddress
import socket
import tomllib
from contextlib import closing
from pathlib import Path

from pipeline.errors import InvalidConfig, PipelineError

_LAST_PORT = 65_535


def check_who(address: str, *, allowed: bool) -> None:
    """Raise InvalidConfig for an address beyond this machine where nobody has to sign in, unless that is `allowed`."""
    if allowed or is_local(address) or asks_to_sign_in():
        return
    raise InvalidConfig(
        f"--address {address}: everybody who reaches it could start, change and delete runs without signing in; add "
        "--read-only, or set up signing in (docs/security.md), or accept it with --allow-anyone"
    )


def check_free(address: str, port: int) -> None:
    """Raise InvalidConfig for an impossible port, PipelineError for an address or port that cannot be had."""
    if not 1 <= port <= _LAST_PORT:
        raise InvalidConfig(f"--port {port}: a port is from 1 to {_LAST_PORT}")
    _listen(address, 0, f"--address {address}", "give an address of this machine")
    _listen(address, port, f"--port {port}", "stop what uses it, or give another port")


def _listen(address: str, port: int, option: str, remedy: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with closing(socket.socket(family)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            probe.listen()  # two may bind with SO_REUSEADDR, but only one may listen
    except (OSError, UnicodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise PipelineError(f"{option}: cannot listen there ({reason}); {remedy}") from error


def is_local(address: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def asks_to_sign_in() -> bool:
    """Whether Streamlit will find a `secrets.toml` with `[auth]`, or one that it cannot read, which lets nobody in."""
    for folder in (Path.home(), Path.cwd()):
        path = folder / ".streamlit" / "secrets.toml"
        try:
            if "auth" in tomllib.loads(path.read_text(encoding="utf-8")):
                return True
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return True
    return False


def url(address: str, port: int) -> str:
    """The address as a browser on this machine takes it."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{host.replace('127.0.0.1', 'localhost')}:{port}"
