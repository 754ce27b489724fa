"""One run of the pipeline: state, stages, log, and the manifest once it is finished."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import streamlit as st

from app import access, frames, run_wording
from app.charts.timings import timings
from app.formats import escape
from app.widgets import live_curves, progress
from pipeline.jobs import RunStatus

_COLOURS: Mapping[str, Literal["blue", "green", "orange", "red"]] = {
    "running": "blue",
    "finished": "green",
    "interrupted": "orange",
    "failed": "red",
}


def show(run: RunStatus) -> None:
    """Draw one run: a running one with its stages open, every other one folded up."""
    with st.container(border=True, key=f"run-{run.run_id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{escape(run.run_id)}**", width="content")
            st.badge(run.state, color=_COLOURS[run.state])
        st.caption(run_wording.run_line(run))
        if run.error and run.state == "failed":
            st.error(escape(run.error), icon=":material/error:")
        if run.state in ("interrupted", "failed"):
            st.caption("Take it up where it stopped:")
            st.code(f"righttree resume {run.run_id}", language=None)
        if run.state == "running":
            progress.show(run)
            live_curves.show(run)
        if run.state == "finished":
            _manifest(run)
        elif run.state != "running":
            with st.expander("Stages", key=f"stages-{run.run_id}", on_change="rerun") as stages:
                if stages.open:
                    progress.show(run)
        _log(run)


def show_none() -> None:
    """Say how to start the first run."""
    st.markdown("There is no run in this data folder yet. Start one in a terminal; its progress appears here.")
    st.code("righttree run --profile quick", language=None)


def _log(run: RunStatus) -> None:
    with st.expander("Log", key=f"log-{run.run_id}", on_change="rerun") as log:
        if log.open:
            st.code(access.log_tail(run.run_id) or "(empty)", language=None, wrap_lines=True)


def _manifest(run: RunStatus) -> None:
    with st.expander("How it was made", key=f"manifest-{run.run_id}", on_change="rerun") as details:
        if not details.open:
            return
        manifest = access.manifest(run.run_id)
        if manifest is None:
            st.caption("The manifest cannot be read.")
            return
        st.caption(run_wording.manifest_line(manifest))
        left, right = st.columns(2, gap="large")
        with left:
            st.markdown("**Where the time went**")
            stages = run_wording.timing_labels(frames.stage_timings(manifest))
            st.altair_chart(timings(stages), width="stretch", key=f"timings-{run.run_id}", alt="Seconds per stage")
            _settings("Machine", manifest.get("host", {}))
        with right:
            _settings("Profile", manifest.get("config", {}))
            _settings("Packages", manifest.get("packages", {}))


def _settings(title: str, settings: Mapping[str, Any]) -> None:
    st.markdown(f"**{title}**")
    st.dataframe(
        frames.flattened(settings),
        hide_index=True,
        column_config={"setting": st.column_config.TextColumn("Setting", width="small"), "value": "Value"},
        height=min(36 * (len(frames.flattened(settings)) + 1), 300),
    )
