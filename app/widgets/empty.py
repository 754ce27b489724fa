"""What the Explore page says while there is nothing to explore."""

from __future__ import annotations

import streamlit as st

from app import access, access_runs, wording
from app.widgets import links, progress
from app.widgets.watch import EVERY


def show() -> None:
    """Say what is missing and what to do; with a run at work, show how far it is."""
    st.title("Nothing to explore yet")
    _state()


@st.fragment(run_every=EVERY)
def _state() -> None:
    if access.has_runs(access.snapshot()):
        st.rerun()
    running = [run for run in access.list_runs() if run.state == "running"]
    if running:
        st.markdown("A run is at work. Its results appear here as soon as it is finished; no need to reload.")
        with st.container(border=True):
            progress.show(running[0])
        return
    st.markdown(wording.nothing_published(access.home()))
    if not access_runs.is_read_only():
        st.markdown("Start a run, take up one that was stopped, or import scores made elsewhere:")
        links.to("runs", "To the Runs page")
    st.markdown(
        "In a terminal, a first run takes this line. It takes a few minutes, and its results appear here by themselves:"
    )
    st.code("righttree run --profile quick", language=None)
    st.caption("If your runs are in another folder, set RIGHTTREE_HOME to it and start `righttree app` again.")
