"""One run: state, stages, what can be done with it, log, and how it was made once it is finished."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Literal

import polars as pl
import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.charts.models import live
from app.charts.runs import timings
from app.components import links, progress, trouble
from app.components.formats import escape
from app.views.runs import data, forms, text
from pipeline.runs.jobs import RunStatus

Colour = Literal["blue", "green", "orange", "red", "gray"]

_COLOURS: Mapping[str, Colour] = {
    "running": "blue",
    "waiting": "gray",
    "finished": "green",
    "interrupted": "orange",
    "failed": "red",
    "unreadable": "red",
}
_LAST_LINES = 8
_LIVE_METRICS = {
    "standardised_reward": "Proxy reward (SD of π_0)",
    "kl_k3": "KL from π_0 (nats)",
    "entropy": "Entropy (nats per token)",
    "clip_share": "Share of clipped tokens",
    "reward": "Proxy reward",
    "response_tokens": "Response length (tokens)",
    "policy_loss": "Policy loss",
}
"""Title of each metric of a policy in training; the first few that were recorded are shown."""
_MOST_LIVE_CURVES = 4


def show(run: RunStatus, published: Collection[str]) -> None:
    """Draw one run of the pipeline: a running one with its stages open, every other one folded up."""
    with st.container(border=True, key=f"run-{run.run_id}"):
        _head(run.run_id, run.state, _COLOURS[run.state], run.state, run.run_id in published)
        st.caption(text.run_line(run))
        if run.state == "waiting":
            st.caption(text.waiting(run))
        if run.state in ("failed", "unreadable"):
            _failure(run)
        if run.state in ("interrupted", "failed") and data.is_read_only():
            st.caption("Take it up where it stopped, where jobs may be run:")
            st.code(f"righttree resume {run.run_id}", language=None)
        if run.state == "running":
            progress.show(run)
            _live_curves(run)
        if run.state not in ("running", "waiting", "unreadable"):
            forms.extend(run.run_id)
        if run.state == "finished":
            _manifest(run.run_id, warehouse.manifest)
        elif run.state in ("interrupted", "failed"):
            with st.expander("Stages", key=f"stages-{run.run_id}", on_change="rerun") as stages:
                if stages.open:
                    progress.show(run)
        _log(run)


def show_published(snapshot: Snapshot, run_id: str) -> None:
    """Draw a run that is in the warehouse alone: an imported one, or one whose directory is gone."""
    facts = data.facts(snapshot, run_id)
    with st.container(border=True, key=f"run-{run_id}"):
        _head(run_id, "imported" if facts["profile"] == "import" else "in the warehouse", "green", None, True)
        st.caption(text.published_line(facts))
        _manifest(run_id, lambda _: {**facts, "stages": facts["timings"]})


def show_none() -> None:
    """Say how to start the first run."""
    if data.is_read_only():
        st.markdown("There is no run in this data folder yet. Its progress appears here once one is started.")
        return
    st.markdown(
        "There is no run in this data folder yet. Start one above, or in a terminal; its progress appears here."
    )
    st.code("righttree run --profile quick", language=None)


def _head(run_id: str, badge: str, colour: Colour, state: str | None, published: bool) -> None:
    """Name and state, and at the right what can be done."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"head-run-{run_id}"):
        st.markdown(f"**{escape(run_id)}**", width="content")
        st.badge(badge, color=colour)
        st.space("stretch")
        if published:
            links.to("explore", "Explore", run=run_id)
            st.download_button(
                "Export",
                partial(data.archive, run_id),
                file_name=f"{run_id}.zip",
                mime="application/zip",
                key=f"export-{run_id}",
                icon=":material/download:",
                on_click="ignore",
                help="The whole run as Parquet in a ZIP, as `righttree export` writes it; it is made when asked for.",
            )
        if data.is_read_only():
            return
        if state in ("running", "waiting"):
            _action("Cancel", run_id, data.cancel, "Stopping …", "Stops it within seconds; what is made stays made.")
        if state in ("interrupted", "failed"):
            _action("Resume", run_id, data.resume, "Starting …", "Goes on where it stopped.")
        if state == "finished" and (failed := data.failed_policies(run_id)):
            _action("Retry", run_id, data.retry, "Starting …", text.retried(failed))
        if state not in ("running", "waiting"):
            _delete(run_id)


def _action(label: str, run_id: str, act: Callable[[str], None], meanwhile: str, about: str) -> None:
    if st.button(label, key=f"{label.lower()}-{run_id}", help=about):
        with trouble.shown():
            with st.spinner(meanwhile):
                act(run_id)
            st.rerun()


def _delete(run_id: str) -> None:
    """Ask first: the button that deletes is behind another one."""
    with st.popover("Delete", icon=":material/delete:", key=f"ask-delete-{run_id}"):
        st.markdown(f"Delete **{escape(run_id)}**?")
        st.caption(text.DELETED)
        if st.button("Delete for good", key=f"delete-{run_id}", type="primary"):
            with trouble.shown():
                with st.spinner("Deleting …"):
                    data.delete(run_id)
                st.rerun()


def _failure(run: RunStatus) -> None:
    st.error(escape(run.error or ""), icon=":material/error:")
    lines = warehouse.log_tail(run.run_id, _LAST_LINES)
    if lines:
        st.caption("The last lines of its log:")
        st.code(lines, language=None, wrap_lines=True)


def _log(run: RunStatus) -> None:
    with st.expander("Log", key=f"log-{run.run_id}", on_change="rerun") as log:
        if log.open:
            st.code(warehouse.log_tail(run.run_id) or "(empty)", language=None, wrap_lines=True)


def _manifest(run_id: str, read: Callable[[str], Mapping[str, Any] | None]) -> None:
    with st.expander("How it was made", key=f"manifest-{run_id}", on_change="rerun") as details:
        if not details.open:
            return
        manifest = read(run_id)
        if manifest is None:
            st.caption("The manifest cannot be read.")
            return
        st.caption(text.manifest_line(manifest))
        left, right = st.columns(2, gap="large")
        with left:
            stages = text.timing_labels(data.stage_timings(manifest))
            if not stages.is_empty():
                st.markdown("**Where the time went**")
                st.altair_chart(timings(stages), width="stretch", key=f"timings-{run_id}", alt="Seconds per stage")
            _settings("Machine", manifest.get("host", {}))
        with right:
            _settings("Profile", manifest.get("config", {}))
            _settings("Packages", manifest.get("packages", {}))


def _settings(title: str, settings: Mapping[str, Any]) -> None:
    st.markdown(f"**{title}**")
    st.dataframe(
        data.flattened(settings),
        hide_index=True,
        column_config={"setting": st.column_config.TextColumn("Setting", width="small"), "value": "Value"},
        height=min(36 * (len(data.flattened(settings)) + 1), 300),
    )


def _live_curves(run: RunStatus) -> None:
    """Draw the curves of the policies in training; nothing while there are none."""
    points = warehouse.live_curves(run.run_id)
    if points.is_empty():
        return
    newest = points["model_id"][-1]
    shown = points.select("metric", "step", "value", model="model_id", newest=pl.col("model_id") == newest)
    st.caption(f"As it learns: {newest}")
    recorded = set(points["metric"])
    metrics = [metric for metric in _LIVE_METRICS if metric in recorded][:_MOST_LIVE_CURVES]
    for column, metric in zip(st.columns(_MOST_LIVE_CURVES), metrics, strict=False):
        title = _LIVE_METRICS[metric]
        column.altair_chart(
            live(shown.filter(metric=metric), title),
            width="stretch",
            key=f"live-{run.run_id}-{metric}",
            alt=f"{title} against steps of training",
        )
