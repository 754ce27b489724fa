"""Runs: how far the runs of the pipeline are, and what went into those that are finished."""

from __future__ import annotations

import streamlit as st

from app import access, wording
from app.widgets import run_card, trouble
from app.widgets.watch import EVERY


def show() -> None:
    """The page."""
    st.title("Runs")
    st.caption(wording.data_folder(access.home()))
    _runs()


@st.fragment(run_every=EVERY)
def _runs() -> None:
    with trouble.shown():
        runs = access.list_runs()
        if not runs:
            run_card.show_none()
        for run in runs:
            run_card.show(run)
