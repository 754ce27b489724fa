"""Access for the Runs page: jobs, uploads and exports, never cached, and published runs for a comparison.

What changes the data folder is refused by `pipeline.jobs` where only reading is allowed, whatever a page shows.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from app import access, access_curves, access_overview, overview_wording
from app.access import Snapshot
from pipeline import jobs
from warehouse import outside
from warehouse.measures import Evaluation
from warehouse.measures.value_curves import ValueCurves

MOST_UPLOADED_BYTES = jobs.MOST_BYTES
UPLOADED = (*outside.EXTENSIONS, outside.ARCHIVE)
"""Endings of the files that can be uploaded."""

_FACTS = ("config", "packages", "host", "timings")


def is_read_only() -> bool:
    """Whether starting, cancelling, resuming and importing are refused."""
    return jobs.is_read_only()


def profiles() -> list[str]:
    """Profiles of the package, `quick` first: the one that a machine like this is for."""
    return sorted(jobs.profiles(), key=lambda name: (name != "quick", name))


def about(profile: str) -> str:
    """What a profile is for."""
    return jobs.profile_about(profile)


def settings(profile: str) -> jobs.Settings:
    """A profile's values of the settings that a page changes."""
    return jobs.profile_settings(profile)


def check(profile: str, changes: Mapping[str, Any]) -> jobs.InvalidSetting | None:
    """What is wrong with a profile changed so; None if nothing is."""
    try:
        jobs.configured(profile, changes)
    except jobs.InvalidSetting as error:
        return error
    return None


def start(profile: str, changes: Mapping[str, Any]) -> str:
    """Start a run of a profile changed so; returns its id. Raises InvalidSetting and ReadOnly."""
    return jobs.start(access.home(), jobs.configured(profile, changes))


def resume(run_id: str) -> None:
    """Take up a stopped run."""
    jobs.resume(access.home(), run_id)


def cancel(run_id: str) -> None:
    """Stop a run that is at work or waits."""
    jobs.cancel(access.home(), run_id)


def import_uploads(files: Sequence[tuple[str, bytes]], run_id: str | None) -> jobs.Imported:
    """Publish uploaded files as a run."""
    return jobs.import_uploads(access.home(), files, run_id)


def archive(run_id: str) -> bytes:
    """A published run as a ZIP of what `righttree export` writes."""
    with tempfile.TemporaryDirectory(prefix="righttree-") as folder:
        return outside.pack(access.home(), run_id, Path(folder) / "run")


def last_of(profile: str) -> dict[str, Any] | None:
    """The manifest of the newest finished run of a profile; None where there is none."""
    done = (run for run in access.list_runs() if run.profile == profile and run.state == "finished")
    return next(filter(None, (access.manifest(run.run_id) for run in done)), None)


@st.cache_resource(max_entries=16, show_spinner=False)
def facts(snapshot: Snapshot, run_id: str) -> dict[str, Any]:
    """What the warehouse knows of how a run was made; its `config`, `packages`, `host` and `timings` as mappings."""
    row = access.runs(snapshot).row(by_predicate=pl.col("run_id") == run_id, named=True)
    return {**row, **{name: json.loads(row[name]) for name in _FACTS}}


def headlines(snapshot: Snapshot, run_id: str) -> dict[str, tuple[Evaluation, ValueCurves]]:
    """Accuracy against NDR for each optimizer of a run, with what it is of; empty where a run cannot say."""
    optimizers = access_curves.optimizers(snapshot, run_id)
    if overview_wording.nothing_to_say(access.reward_models(snapshot, run_id).height, optimizers):
        return {}
    return {
        name: (
            access_overview.evaluation(snapshot, run_id, name),
            access_curves.value_curves(snapshot, run_id, name),
        )
        for name in optimizers
    }
