"""Signing in by Streamlit's own OpenID Connect: where `secrets.toml` has `[auth]`, only who is signed in changes runs.

Everybody may read. Who can sign in is the provider's to say; the cookie is signed and checked by Streamlit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from pipeline.runs.jobs import PipelineError


class SignInRequired(PipelineError, PermissionError):
    """A change asked for by a visitor who is not signed in, on a server where one has to be."""


def is_required() -> bool:
    """Whether this visitor has to sign in before anything is changed."""
    return _settings() is not None and not getattr(st.user, "is_logged_in", False)


def require(what: str) -> None:
    """Raise SignInRequired, which says `what` cannot be done, for a visitor who has to sign in first."""
    if is_required():
        raise SignInRequired(f"{what}: this server asks who you are; sign in on the page Runs")


def providers() -> list[str | None]:
    """What `st.login` is given: the names of the providers, or None for the one that has none."""
    settings = _settings() or {}
    named: list[str | None] = [name for name, value in settings.items() if isinstance(value, Mapping)]
    return [None, *named] if "client_id" in settings else named


def show() -> None:
    """Draw a button for each provider; nothing where nobody has to sign in, or this visitor is signed in."""
    if not is_required():
        return
    with st.container(horizontal=True, key="sign-in"):
        for provider in providers():
            st.button(
                f"Sign in with {provider}" if provider else "Sign in",
                key=f"sign-in.{provider or ''}",
                icon=":material/login:",
                on_click=st.login,
                args=(provider,),
            )


def _settings() -> Mapping[str, Any] | None:
    """The section `[auth]`, empty where it cannot be read; None where there is none."""
    try:
        return st.secrets.get("auth")
    except StreamlitSecretNotFoundError:  # no file, or a broken one, which must not open the door
        return {} if any(Path(path).exists() for path in st.get_option("secrets.files")) else None
