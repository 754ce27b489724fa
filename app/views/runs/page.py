"""Runs: their progress and settings; start, stop, resume, extend, compare, export and import them."""

from __future__ import annotations

import streamlit as st

from app.access import sign_in, warehouse
from app.access.warehouse import Snapshot
from app.components import glossary, page_state, trouble, words
from app.state import RunsChoice
from app.views.runs import card, data, figures, forms
from warehouse import labels, reads

MANY = 6
"""From how many runs on they can be searched."""


def show() -> None:
    """The page."""
    st.title("Runs")
    st.caption(words.data_folder(warehouse.home()) + data.why_read_only())
    sign_in.show()
    with st.sidebar:
        glossary.show()
    snapshot = warehouse.snapshot()
    published: list[str] = []
    search = ""
    with trouble.shown():
        published = [] if snapshot is None else warehouse.runs(snapshot)["run_id"].to_list()
    with trouble.shown():
        forms.start(opened=not published and not warehouse.list_runs())
        forms.import_files()
        if snapshot is not None and published:
            page = page_state.restore(RunsChoice, snapshot, figures.fit)
            trouble.notes(page.notes)
            figures.compare(snapshot, page.chosen)
            _search(page.chosen, len({*published, *(run.run_id for run in warehouse.list_runs())}))
            search = page.chosen.search.lower()
    _runs(snapshot, published, search)


def _search(chosen: RunsChoice, runs: int) -> None:
    if runs >= MANY or chosen.search:
        bound = page_state.bound(chosen, "search", chosen.search)
        st.text_input("Search runs", placeholder="part of an id, a name or a note", width=320, **bound)


@st.fragment(run_every=page_state.EVERY)
def _runs(shown: Snapshot | None, published: list[str], search: str) -> None:
    if warehouse.snapshot() != shown:
        st.rerun()
    with trouble.shown():
        named = labels.read(warehouse.home())
        runs = warehouse.list_runs()
        for run in runs:
            if _matches(run.run_id, named, search):
                card.show(run, published)
        others = [run_id for run_id in published if run_id not in {run.run_id for run in runs}]
        for run_id in others:
            if shown is not None and _matches(run_id, named, search):
                card.show_published(shown, run_id)
        if not runs and not others:
            card.show_none()
        if reads.runs.RECORDED not in {*published, *(run.run_id for run in runs)}:
            card.show_absent()


def _matches(run_id: str, named: labels.Labels, search: str) -> bool:
    """Whether the id, the name or the note of a run has the text."""
    return search in f"{named.title(run_id)} {named.of(run_id).note}".lower()
