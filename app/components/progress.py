"""How far a run is: a line per stage with a bar, its rate and the time left."""

from __future__ import annotations

import streamlit as st

from app.components import formats
from app.views.runs import text
from pipeline.runs.jobs import RunStatus


def show(run: RunStatus) -> None:
    """Draw every stage of the run."""
    for stage in run.stages:
        with st.container(key=f"stage-{run.run_id}-{stage.name}"):
            name, bar, note = st.columns([3, 4, 5], vertical_alignment="center", gap="small")
            title = text.stage(stage.name)
            name.markdown(f"**{title}**" if stage.state == "running" else title)
            bar.progress(text.share(stage))
            note.caption(text.stage_note(stage))


def show_compact(run: RunStatus) -> None:
    """Draw one bar for the whole run: the share of its stages that is done, and the current one."""
    st.caption(f"Run **{formats.escape(run.run_id)}** is running")
    st.progress(text.share_of_run(run), text=text.running_stage(run))
