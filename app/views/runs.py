"""Runs: how far they are and what went into them; start, stop, compare, take away and bring in."""

from __future__ import annotations

import streamlit as st

from app import access, access_runs, sign_in, wording
from app.access import Snapshot
from app.state import RunsChoice
from app.widgets import page_state, run_card, run_compare, run_import, run_start, trouble


def show() -> None:
    """The page."""
    st.title("Runs")
    st.caption(wording.data_folder(access.home()) + access_runs.why_read_only())
    sign_in.show()
    snapshot = access.snapshot()
    published: list[str] = []
    with trouble.shown():
        published = [] if snapshot is None else access.runs(snapshot)["run_id"].to_list()
    with trouble.shown():
        run_start.show(opened=not published and not access.list_runs())
        run_import.show()
        if snapshot is not None and published:
            page = page_state.restore(RunsChoice, snapshot, run_compare.fit)
            trouble.notes(page.notes)
            run_compare.show(snapshot, page.chosen)
    _runs(snapshot, published)


@st.fragment(run_every=page_state.EVERY)
def _runs(shown: Snapshot | None, published: list[str]) -> None:
    if access.snapshot() != shown:
        st.rerun()
    with trouble.shown():
        runs = access.list_runs()
        for run in runs:
            run_card.show(run, published)
        others = [run_id for run_id in published if run_id not in {run.run_id for run in runs}]
        for run_id in others:
            if shown is not None:
                run_card.show_published(shown, run_id)
        if not runs and not others:
            run_card.show_none()
