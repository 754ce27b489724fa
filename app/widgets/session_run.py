"""The run that a session looks at, the same on all pages: the navigation bar leads to addresses that name none."""

from __future__ import annotations

from typing import Any

import streamlit as st

_KEY = "session.run"


def get() -> str | None:
    """The chosen run; None is the newest."""
    run_id: str | None = st.session_state.get(_KEY)
    return run_id


def keep(run_id: str | None) -> None:
    """Hold to this run on every page from now on."""
    st.session_state[_KEY] = run_id


def took(fields: dict[str, Any]) -> None:
    """Hold to the run among fields of a choice that are changed, if it is among them."""
    if "run" in fields:
        keep(fields["run"])
