"""The card of one run: its state and stages, what can be done with it, its log, and its settings and timings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from app.access.warehouse import Snapshot, home
from app.charts.models import live
from app.charts.runs import timings
from app.components import links, progress, trouble
from app.components.formats import escape
from app.views.overoptimisation import text as overoptimisation_text
from app.views.runs import data, ensemble, forms, text
from pipeline.runs import jobs
from pipeline.runs.jobs import RunStatus
from warehouse import labels, reads

_COLOURS: Mapping[str, Any] = {
    "running": "blue",
    "waiting": "gray",
    "interrupted": "orange",
    "failed": "red",
    "unreadable": "red",
}
"""Colour of the badge of each state; green where nothing is left to do."""
_LAST_LINES = 8
_LIVE = ("standardised_reward", "kl_k3", "entropy", "clip_share", "reward", "response_tokens", "policy_loss")
"""Metrics of a policy in training; the first few that were recorded are shown."""
_MOST_LIVE_CURVES = 4


def show(run: RunStatus, published: Collection[str]) -> None:
    """Draw one run of the pipeline: its stages are shown while it runs, and folded up otherwise."""
    is_stopped = run.state in ("interrupted", "failed")
    with st.container(border=True, key=f"run-{run.run_id}"):
        _head(run.run_id, jobs.shown_state(run, published), is_published=run.run_id in published)
        _note(run.run_id)
        st.caption(text.run_line(run))
        if run.state == "waiting":
            st.caption(text.waiting(run))
        if run.state in ("failed", "unreadable"):
            st.error(escape(run.error or ""), icon=":material/error:")
            if lines := jobs.log_tail(home(), run.run_id, _LAST_LINES):
                st.caption("The last lines of the log:")
                st.code(lines, language=None, wrap_lines=True)
        if is_stopped and data.is_read_only():
            st.caption("To resume it, run this on a machine where runs are allowed:")
            st.code(f"righttree resume {run.run_id}", language=None)
        if run.state == "running":
            progress.show(run)
            _live_curves(run)
        if run.state not in ("running", "waiting", "unreadable"):
            forms.extend(run.run_id)
        if run.run_id in published and run.state == "finished":
            ensemble.form(run.run_id)
        if run.state == "finished":
            _manifest(run.run_id, partial(jobs.manifest, home(), run.run_id))
        elif is_stopped:
            with st.expander("Stages", key=f"stages-{run.run_id}", on_change="rerun") as stages:
                if stages.open:
                    progress.show(run)
        with st.expander("Log", key=f"log-{run.run_id}", on_change="rerun") as log:
            if log.open:
                st.code(jobs.log_tail(home(), run.run_id) or "(empty)", language=None, wrap_lines=True)


def show_published(snapshot: Snapshot, run_id: str) -> None:
    """Draw a run of which only the results are stored: an imported or derived one."""
    facts = data.facts(snapshot, run_id)
    with st.container(border=True, key=f"run-{run_id}"):
        _head(run_id, jobs.PUBLISHED, is_published=True)
        _note(run_id)
        st.caption(text.published_line(facts))
        st.caption(text.RESULTS_ONLY)
        ensemble.form(run_id)
        _manifest(run_id, lambda: {**facts, "stages": facts["timings"]})


def show_none() -> None:
    """Say how to start the first run."""
    if data.is_read_only():
        st.markdown("This data folder has no runs yet. When one is started, its progress appears here.")
        return
    st.markdown("This data folder has no runs yet. Start one above or in a terminal; its progress appears here.")
    st.code("righttree run --profile quick", language=None)


def show_absent() -> None:
    """Draw the recorded run where it is not published, with the offer to publish it."""
    with st.container(border=True, key="run-absent"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{reads.runs.RECORDED}**", width="content")
            st.badge("absent", color="gray")
            st.space("stretch")
            if not data.is_read_only():
                _action("restore", reads.runs.RECORDED, lambda _: data.restore(), "Restoring …", label="Restore")
        st.caption("The run that comes with righttree; it is not published in this data folder.")


def _note(run_id: str) -> None:
    if note := labels.read(home()).of(run_id).note:
        st.text(note)


def _head(run_id: str, state: str, *, is_published: bool) -> None:
    """Name and state on the left, what can be done on the right."""
    named = labels.read(home())
    with st.container(horizontal=True, vertical_alignment="center", key=f"head-run-{run_id}"):
        label, pinned = named.of(run_id), named.pinned == run_id
        st.markdown(f"**{escape(named.title(run_id))}**", width="content")
        st.badge(state, color=_COLOURS.get(state, "green"))
        if pinned:
            st.badge("pinned", icon=":material/keep:", color="violet")
        st.space("stretch")
        if is_published:
            links.to("explore", "Explore", run=run_id)
            st.download_button(
                "Export",
                partial(data.archive, run_id),
                file_name=f"{run_id}.zip",
                mime="application/zip",
                key=f"export-{run_id}",
                icon=":material/download:",
                on_click="ignore",
                help="Download the whole run as a ZIP of Parquet files, as `righttree export` writes it.",
            )
        if data.is_read_only():
            return
        if state in ("running", "waiting"):
            _action("cancel", run_id, data.cancel, "Stopping …", label="Cancel", help=text.CANCEL)
            return
        if state in ("interrupted", "failed"):
            _action("resume", run_id, data.resume, "Starting …", label="Resume", help=text.RESUME)
        if state in ("finished", jobs.PUBLISHED) and (failed := data.failed_policies(run_id)):
            _action("retry", run_id, data.retry, "Starting …", label="Retry", help=text.retry(failed))
        _label(run_id, label, pinned=pinned)
        with st.popover("Delete", icon=":material/delete:", key=f"ask-delete-{run_id}"):
            st.markdown(f"Delete **{escape(run_id)}**?")
            st.caption(text.DELETE)
            _action("delete", run_id, data.delete, "Deleting …", label="Delete for good", type="primary")


def _label(run_id: str, label: labels.Label, *, pinned: bool) -> None:
    """A form for the name, the note and the pin of a run."""
    popover = st.popover("Name", icon=":material/edit:", key=f"ask-label-{run_id}", help="Name, note and pin")
    with popover, st.form(f"label-{run_id}", border=False):
        name = st.text_input("Name", label.name, max_chars=labels.MOST_LETTERS["name"])
        note = st.text_area("Note", label.note, max_chars=labels.MOST_LETTERS["note"])
        pin = st.checkbox("Pinned", pinned, help=text.PINNED)
        if st.form_submit_button("Save"):
            with trouble.shown():
                data.label(run_id, name, note)
                if pin != pinned:
                    data.pin(run_id if pin else None)
                st.rerun()


def _action(action: str, run_id: str, act: Callable[[str], None], meanwhile: str, **button: Any) -> None:
    """A button that changes a run and then draws the page again."""
    if st.button(key=f"{action}-{run_id}", **button):
        with trouble.shown():
            with st.spinner(meanwhile):
                act(run_id)
            st.rerun()


def _manifest(run_id: str, read: Callable[[], Mapping[str, Any] | None]) -> None:
    with st.expander("Settings and timings", key=f"manifest-{run_id}", on_change="rerun") as details:
        if not details.open:
            return
        manifest = read()
        if manifest is None:
            st.caption("The manifest of this run cannot be read.")
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
    table = data.flattened(settings)
    if table.is_empty():
        return
    st.markdown(f"**{title}**")
    st.dataframe(
        table,
        hide_index=True,
        column_config={"setting": st.column_config.TextColumn("Setting", width="small"), "value": "Value"},
        height=min(36 * (table.height + 1), 300),
    )


def _live_curves(run: RunStatus) -> None:
    """Draw the curves of the policies in training; nothing while there are none."""
    points = jobs.live_curves(home(), run.run_id)
    if points.is_empty():
        return
    newest = points["model_id"][-1]
    shown = points.select("metric", "step", "value", model="model_id", newest=pl.col("model_id") == newest)
    st.caption(f"In training: {escape(newest)}")
    recorded = set(points["metric"])
    metrics = [metric for metric in _LIVE if metric in recorded][:_MOST_LIVE_CURVES]
    for column, metric in zip(st.columns(_MOST_LIVE_CURVES), metrics, strict=False):
        title = overoptimisation_text.metric(metric)
        column.altair_chart(
            live(shown.filter(metric=metric), title),
            width="stretch",
            key=f"live-{run.run_id}-{metric}",
            alt=f"{title} against steps of training",
        )
