"""Access for the Runs page: jobs, uploads and exports, never cached, and published runs for a comparison.

What changes the data folder is refused by `pipeline.runs.jobs` where only reading is allowed, and by `_changed` to
whom has
to sign in first, whatever a page shows.

Two runs beside each other, as tables. Pure functions.
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

from app.access import curves, sign_in, warehouse
from app.access.warehouse import Snapshot
from app.views.overview import data
from app.views.overview import text as overview_text
from app.views.runs import text
from pipeline.runs import jobs
from warehouse import exchange
from warehouse.study import Evaluation
from warehouse.study.value_curves import ValueCurves

MOST_UPLOADED_BYTES = jobs.MOST_BYTES
UPLOADED = (*exchange.EXTENSIONS, exchange.ARCHIVE)
"""Endings of the files that can be uploaded."""

_FACTS = ("config", "packages", "host", "timings")


def is_read_only() -> bool:
    """Whether all that changes the data folder is refused to this visitor."""
    return jobs.is_read_only() or sign_in.is_required()


def why_read_only() -> str:
    """What the page says of it; empty where everything is allowed."""
    return text.READ_ONLY if jobs.is_read_only() else text.SIGN_IN if sign_in.is_required() else ""


def _changed(what: str) -> Path:
    """The data folder, for what changes it. Raises SignInRequired."""
    sign_in.require(what)
    return warehouse.home()


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
    return jobs.run_settings(warehouse.home(), run_id)


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
        return jobs.failed_policies(warehouse.home(), run_id)
    except jobs.PipelineError:
        return []


def retry(run_id: str) -> None:
    """Have the policies made again that could not be trained."""
    jobs.retry(_changed("policies cannot be trained again"), run_id)


def cancel(run_id: str) -> None:
    """Stop a run that is at work or waits."""
    jobs.cancel(_changed("a run cannot be cancelled"), run_id)


def import_uploads(files: Sequence[tuple[str, bytes]], run_id: str | None) -> jobs.Imported:
    """Publish uploaded files as a run."""
    return jobs.import_uploads(_changed("files cannot be imported"), files, run_id)


def archive(run_id: str) -> bytes:
    """A published run as a ZIP of what `righttree export` writes."""
    with tempfile.TemporaryDirectory(prefix="righttree-") as folder:
        return exchange.pack(warehouse.home(), run_id, Path(folder) / "run")


def estimate(profile: str, changes: Mapping[str, Any]) -> jobs.Estimate:
    """What a run of a profile changed so will take. Raises InvalidSetting."""
    return jobs.estimate(warehouse.home(), jobs.configured(profile, changes))


def extended(run_id: str, additions: Mapping[str, Any]) -> jobs.Estimate:
    """What extending a run will take. Raises InvalidSetting for an addition that is wrong, or none at all."""
    return jobs.estimate_extension(warehouse.home(), run_id, jobs.extended(warehouse.home(), run_id, additions))


def free_bytes() -> int:
    """Room on the disk of the data folder."""
    home = warehouse.home()
    return shutil.disk_usage(next(path for path in (home, *home.parents) if path.exists())).free


@st.cache_resource(max_entries=16, show_spinner=False)
def facts(snapshot: Snapshot, run_id: str) -> dict[str, Any]:
    """What the warehouse knows of how a run was made; its `config`, `packages`, `host` and `timings` as mappings."""
    row = warehouse.runs(snapshot).row(by_predicate=pl.col("run_id") == run_id, named=True)
    return {**row, **{name: json.loads(row[name]) for name in _FACTS}}


def headlines(snapshot: Snapshot, run_id: str) -> dict[str, tuple[Evaluation, ValueCurves]]:
    """Accuracy against NDR for each optimiser of a run, with what it is of; empty where a run cannot say."""
    optimizers = curves.optimizers(snapshot, run_id)
    if overview_text.nothing_to_say(warehouse.reward_models(snapshot, run_id).height, optimizers):
        return {}
    return {
        name: (
            data.evaluation(snapshot, run_id, name),
            curves.value_curves(snapshot, run_id, name, None),
        )
        for name in optimizers
    }


_MACHINE = ("code_version", "base_model", "packages", "host")

ABSENT = "–"
"""Stands for a setting that a run does not have."""


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> pl.DataFrame:
    """`setting, first, second`: settings of the profile, then code, packages and machine, where the two runs differ.

    The runs are `access_runs.facts`.
    """
    machines = [{name: run[name] for name in _MACHINE if run[name]} for run in (first, second)]
    return pl.concat([_differing(first["config"], second["config"]), _differing(*machines)])


def stages(runs: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """`run_id, stage, wall_s, units, unit, peak_resident_bytes` of all runs below one another, in their order."""
    return pl.concat(
        stage_timings({"stages": run["timings"]}).select(pl.lit(run_id).alias("run_id"), pl.all())
        for run_id, run in runs.items()
    )


def headline_rows(
    evaluations: Mapping[str, Mapping[str, Evaluation]], policies: Mapping[tuple[str, str], str]
) -> pl.DataFrame:
    """Kendall τ of accuracy with NDR of each run and optimiser: `run_id, optimizer, policies, value, low, high`.

    Beside them what they are of: `pairs`, `undefined`, `prompts`, `rl_prompts`, `resampled`. `policies` names the
    policies of a run and optimizer.
    """
    rows = []
    for run_id, by_optimizer in evaluations.items():
        for optimizer, found in by_optimizer.items():
            tau, M = found.correlations["kendall"], len(found.ndr_MM)
            rows.append(
                {
                    "run_id": run_id,
                    "optimizer": optimizer,
                    "policies": policies[run_id, optimizer],
                    "value": tau.value,
                    "low": tau.low,
                    "high": tau.high,
                    "pairs": M * (M - 1) - found.undefined_pairs,
                    "undefined": found.undefined_pairs,
                    "prompts": found.prompts_used,
                    "rl_prompts": found.rl_prompts_used,
                    "resampled": str(found.resampled),
                }
            )
    text, figures, counts = ("run_id", "optimizer", "policies"), ("value", "low", "high"), ("pairs", "undefined")
    schema = {**dict.fromkeys(text, pl.String), **dict.fromkeys(figures, pl.Float64)}
    more = {**dict.fromkeys((*counts, "prompts", "rl_prompts"), pl.Int64), "resampled": pl.String}
    return pl.DataFrame(rows, schema={**schema, **more})


def _differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> pl.DataFrame:
    sides = [flattened(settings) for settings in (first, second)]
    joined = sides[0].join(
        sides[1], on="setting", how="full", coalesce=True, suffix="_second", maintain_order="left_right"
    )
    return joined.filter(pl.col("value").ne_missing(pl.col("value_second"))).select(
        "setting", first=pl.col("value").fill_null(ABSENT), second=pl.col("value_second").fill_null(ABSENT)
    )


def stage_timings(manifest: Mapping[str, Any]) -> pl.DataFrame:
    """Seconds, units and peak memory of every stage in a run's manifest, in the order of the run."""
    rows = [
        {
            "stage": name,
            "wall_s": float(facts.get("wall_s", 0.0)),
            "units": int(facts.get("units", 0)),
            "unit": str(facts.get("unit", "")),
            "peak_resident_bytes": int(facts.get("peak_resident_bytes", 0)),
        }
        for name, facts in manifest.get("stages", {}).items()
    ]
    schema = {"stage": pl.String, "wall_s": pl.Float64, "units": pl.Int64, "unit": pl.String}
    return pl.DataFrame(rows, schema={**schema, "peak_resident_bytes": pl.Int64})


def flattened(settings: Mapping[str, Any], prefix: str = "") -> pl.DataFrame:
    """Nested settings as a table of two columns of text, `setting` (dotted) and `value`."""
    return pl.DataFrame(_leaves(settings, prefix), schema={"setting": pl.String, "value": pl.String}, orient="row")


def _leaves(settings: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    leaves = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            leaves += _leaves(value, f"{prefix}{name}.")
        else:
            leaves.append((prefix + name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    return leaves
