"""Runs: their progress and settings; start, stop, resume, extend, compare, export and import them."""

from __future__ import annotations

import streamlit as st

from app.access import sign_in, warehouse
from app.access.warehouse import Snapshot
from app.components import glossary, page_state, trouble, words
from app.state import RunsChoice
from app.views.runs import card, data, figures, forms


def show() -> None:
    """The page."""
    st.title("Runs")
    st.caption(words.data_folder(warehouse.home()) + data.why_read_only())
    sign_in.show()
    with st.sidebar:
        glossary.show()
    snapshot = warehouse.snapshot()
    published: list[str] = []
    with trouble.shown():
        published = [] if snapshot is None else warehouse.runs(snapshot)["run_id"].to_list()
    with trouble.shown():
        forms.start(opened=not published and not warehouse.list_runs())
        forms.import_files()
        if snapshot is not None and published:
            page = page_state.restore(RunsChoice, snapshot, figures.fit)
            trouble.notes(page.notes)
            figures.compare(snapshot, page.chosen)
    _runs(snapshot, published)


@st.fragment(run_every=page_state.EVERY)
def _runs(shown: Snapshot | None, published: list[str]) -> None:
    if warehouse.snapshot() != shown:
        st.rerun()
    with trouble.shown():
        runs = warehouse.list_runs()
        for run in runs:
            card.show(run, published)
        others = [run_id for run_id in published if run_id not in {run.run_id for run in runs}]
        for run_id in others:
            if shown is not None:
                card.show_published(shown, run_id)
        if not runs and not others:
            card.show_none()
