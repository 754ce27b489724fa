"""Looks every two seconds whether a new build was published, and brings it into the open page."""

from __future__ import annotations

import streamlit as st

from app import access
from app.access import Snapshot
from app.widgets import progress

EVERY = "2s"


@st.fragment(run_every=EVERY)
def show(shown: Snapshot | None) -> None:
    """Rerun the page once the published build is not the one it shows; meanwhile, how far a run at work is."""
    if access.snapshot() != shown:
        st.rerun()
    for run in access.list_runs():
        if run.state == "running":
            progress.show_compact(run)
