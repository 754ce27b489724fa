"""Access for the Runs page: jobs, uploads and exports, never cached, and published runs for a comparison.

What changes the data folder is refused by `pipeline.jobs` where only reading is allowed, and by `_changed` to whom has
to sign in first, whatever a page shows.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from app import access, access_curves, access_overview, overview_wording, run_wording, sign_in
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
    """Whether all that changes the data folder is refused to this visitor."""
    return jobs.is_read_only() or sign_in.is_required()


def why_read_only() -> str:
    """What the page says of it; empty where everything is allowed."""
    return run_wording.READ_ONLY if jobs.is_read_only() else run_wording.SIGN_IN if sign_in.is_required() else ""


def _changed(what: str) -> Path:
    """The data folder, for what changes it. Raises SignInRequired."""
    sign_in.require(what)
    return access.home()


def profiles() -> list[str]:
    """Profiles of the package, `quick` first: the one that a machine like this is for."""
    return sorted(jobs.profiles(), key=lambda name: (name != "quick", name))


def about(profile: str) -> str:
    """What a profile is for."""
    return jobs.profile_about(profile)


def settings(profile: str) -> jobs.Settings:
    """A profile's values of the settings that a page changes."""
    return jobs.profile_settings(profile)


def start(profile: str, changes: Mapping[str, Any]) -> str:
    """Start a run of a profile changed so; returns its id. Raises InvalidSetting and ReadOnly."""
    return jobs.start(_changed("a run cannot be started"), jobs.configured(profile, changes))


def run_settings(run_id: str) -> jobs.Settings:
    """A run's values of the settings that a page changes."""
    return jobs.run_settings(access.home(), run_id)


def extend(run_id: str, additions: Mapping[str, Any]) -> str:
    """Start a run that extends another one; returns its id. Raises InvalidSetting, RunBusy and ReadOnly."""
    return jobs.extend(_changed("a run cannot be extended"), run_id, additions)


def delete(run_id: str) -> None:
    """Delete a run for good, from the data folder and from the warehouse."""
    jobs.delete(_changed("a run cannot be deleted"), run_id)


def resume(run_id: str) -> None:
    """Take up a stopped run."""
    jobs.resume(_changed("a run cannot be resumed"), run_id)


def failed_policies(run_id: str) -> list[str]:
    """Ids of the policies of a run that could not be trained; none where its files are damaged."""
    try:
        return jobs.failed_policies(access.home(), run_id)
    except jobs.PipelineError:
        return []


def retry(run_id: str) -> None:
    """Have the policies made again that could not be trained."""
    jobs.retry(_changed("policies cannot be made again"), run_id)


def cancel(run_id: str) -> None:
    """Stop a run that is at work or waits."""
    jobs.cancel(_changed("a run cannot be cancelled"), run_id)


def import_uploads(files: Sequence[tuple[str, bytes]], run_id: str | None) -> jobs.Imported:
    """Publish uploaded files as a run."""
    return jobs.import_uploads(_changed("files cannot be imported"), files, run_id)


def archive(run_id: str) -> bytes:
    """A published run as a ZIP of what `righttree export` writes."""
    with tempfile.TemporaryDirectory(prefix="righttree-") as folder:
        return outside.pack(access.home(), run_id, Path(folder) / "run")


def estimate(profile: str, changes: Mapping[str, Any]) -> jobs.Estimate:
    """What a run of a profile changed so will take. Raises InvalidSetting."""
    return jobs.estimate(access.home(), jobs.configured(profile, changes))


def extended(run_id: str, additions: Mapping[str, Any]) -> jobs.Estimate:
    """What extending a run will take. Raises InvalidSetting for an addition that is wrong, or none at all."""
    return jobs.estimate_extension(access.home(), run_id, jobs.extended(access.home(), run_id, additions))


def free_bytes() -> int:
    """Room on the disk of the data folder."""
    home = access.home()
    return shutil.disk_usage(next(path for path in (home, *home.parents) if path.exists())).free


@st.cache_resource(max_entries=16, show_spinner=False)
def facts(snapshot: Snapshot, run_id: str) -> dict[str, Any]:
    """What the warehouse knows of how a run was made; its `config`, `packages`, `host` and `timings` as mappings."""
    row = access.runs(snapshot).row(by_predicate=pl.col("run_id") == run_id, named=True)
    return {**row, **{name: json.loads(row[name]) for name in _FACTS}}


def headlines(snapshot: Snapshot, run_id: str) -> dict[str, tuple[Evaluation, ValueCurves]]:
    """Accuracy against NDR for each optimiser of a run, with what it is of; empty where a run cannot say."""
    optimizers = access_curves.optimizers(snapshot, run_id)
    if overview_wording.nothing_to_say(access.reward_models(snapshot, run_id).height, optimizers):
        return {}
    return {
        name: (
            access_overview.evaluation(snapshot, run_id, name),
            access_curves.value_curves(snapshot, run_id, name, None),
        )
        for name in optimizers
    }
