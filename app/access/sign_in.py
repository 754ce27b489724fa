"""Signing in by Streamlit's OpenID Connect: if `secrets.toml` has `[auth]`, only signed-in visitors can change runs.

Everybody may read. The provider decides who can sign in; Streamlit signs and checks the cookie.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from pipeline.runs.jobs import PipelineError


class SignInRequired(PipelineError, PermissionError):
    """A change requested by a visitor who has to sign in first."""


def is_required() -> bool:
    """Whether this visitor has to sign in before changing anything."""
    return _settings() is not None and not getattr(st.user, "is_logged_in", False)


def require(what: str) -> None:
    """Raise SignInRequired, which says `what` cannot be done, if this visitor has to sign in first."""
    if is_required():
        raise SignInRequired(f"{what}: this server asks who you are; sign in on the page Runs")


def providers() -> list[str | None]:
    """The arguments for `st.login`: the names of the providers, or None for the only, nameless one."""
    settings = _settings() or {}
    named: list[str | None] = [name for name, value in settings.items() if isinstance(value, Mapping)]
    return [None, *named] if "client_id" in settings else named


def show() -> None:
    """Draw a button for each provider, if this visitor has to sign in."""
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
    """The section `[auth]`, empty if it cannot be read; None if there is none."""
    try:
        return st.secrets.get("auth")
    except StreamlitSecretNotFoundError:  # no file, or a broken one, which must not open the door
        return {} if any(Path(path).exists() for path in st.get_option("secrets.files")) else None
