"""What the Explore page says while there is nothing to explore."""

from __future__ import annotations

import streamlit as st

from app import access, wording
from app.widgets import progress
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
    st.markdown("Start one in a terminal. It takes a few minutes, and its results appear here by themselves:")
    st.code("righttree run --profile quick", language=None)
    st.caption(
        "If your runs are in another folder, set RIGHTTREE_HOME to it and start `righttree app` again. "
        "A run that was stopped goes on with `righttree resume`; its state is on the Runs page."
    )
