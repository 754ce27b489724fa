"""What the Runs page reads and changes: jobs, uploads and exports, never cached, and finished runs compared.

`pipeline.runs.jobs` refuses every change on a read-only server, and `_changed` refuses it to a visitor who has to sign
in first, whatever a page shows.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import streamlit as st

from app.access import curves, frames, sign_in, warehouse
from app.access.warehouse import Snapshot
from app.views.overview import data as overview_data
from app.views.overview import text as overview_text
from app.views.runs import text
from pipeline.runs import jobs
from warehouse import exchange
from warehouse.exchange.numbers import holds_objects
from warehouse.exchange.reading.columns import as_json
from warehouse.study import Evaluation

MOST_UPLOADED_BYTES = jobs.MOST_BYTES
UPLOADED = (*exchange.EXTENSIONS, exchange.ARCHIVE)
"""Endings of the files that can be uploaded."""

ABSENT = "–"
"""Shown for a setting that a run does not have."""

_FACTS = ("config", "packages", "host", "timings")
_MACHINE = ("code_version", "base_model", "packages", "host")


def is_read_only() -> bool:
    """Whether every change of the data folder is refused to this visitor."""
    return jobs.is_read_only() or sign_in.is_required()


def why_read_only() -> str:
    """What the page says about it; empty where changes are allowed."""
    return text.READ_ONLY if jobs.is_read_only() else text.SIGN_IN if sign_in.is_required() else ""


def _changed(what: str) -> Path:
    """The data folder, about to be changed. Raises SignInRequired, which says `what` is not possible."""
    sign_in.require(what)
    return warehouse.home()


def start(profile: str, changes: Mapping[str, Any]) -> str:
    """Start a run of a profile with changed settings; returns its id. Raises InvalidSetting and ReadOnly."""
    return jobs.start(_changed("a run cannot be started"), jobs.configured(profile, changes))


def extend(run_id: str, additions: Mapping[str, Any]) -> str:
    """Start a run that extends another one; returns its id. Raises InvalidSetting, RunBusy and ReadOnly."""
    return jobs.extend(_changed("a run cannot be extended"), run_id, additions)


def delete(run_id: str) -> None:
    """Delete a run from the data folder and from the warehouse."""
    jobs.delete(_changed("a run cannot be deleted"), run_id)


def resume(run_id: str) -> None:
    """Resume a stopped run."""
    jobs.resume(_changed("a run cannot be resumed"), run_id)


def retry(run_id: str) -> None:
    """Retrain the policies that failed."""
    jobs.retry(_changed("policies cannot be trained again"), run_id)


def restore() -> None:
    """Publish the recorded run again."""
    jobs.restore(_changed("the recorded run cannot be restored"))


def label(run_id: str, name: str, note: str) -> None:
    """Set the name and the note of a run. Raises InvalidChoice for one that is refused."""
    jobs.label(_changed("a run cannot be named"), run_id, name=name, note=note)


def pin(run_id: str | None) -> None:
    """Make a run the default one; None: the recorded one again."""
    jobs.pin(_changed("a run cannot be pinned"), run_id)


def cancel(run_id: str) -> None:
    """Stop a run that is running or waiting."""
    jobs.cancel(_changed("a run cannot be cancelled"), run_id)


def first_rows(files: Sequence[tuple[str, bytes]], rows: int) -> dict[str, pl.DataFrame]:
    """The first rows of each uploaded file, by name; none of an exported run."""
    return jobs.first_rows(_changed("files cannot be imported"), files, rows)


def readable(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame to look at: lists and objects as JSON text."""
    return frame.with_columns(
        pl.Series(
            column.name, [None if cell is None else as_json(cell) for cell in column.to_list()], dtype=pl.String()
        )
        for column in frame
        if holds_objects(column)
    )


def import_uploads(
    files: Sequence[tuple[str, bytes]],
    run_id: str | None,
    choices: exchange.Choices,
    columns: exchange.ColumnMap | None = None,
) -> jobs.Imported:
    """Publish uploaded files as a run."""
    return jobs.import_uploads(_changed("files cannot be imported"), files, run_id, choices, columns=columns)


def ensemble(
    run_id: str, members: Sequence[str], how: str, *, weight: float, name: str | None, role: str | None
) -> jobs.Derived:
    """Publish a new run with an ensemble of a run's scorers."""
    home = _changed("an ensemble cannot be made")
    return jobs.ensemble(home, run_id, members, how, weight=weight, name=name, role=role)


def failed_policies(run_id: str) -> list[str]:
    """Ids of the policies of a run that failed; none where its files are damaged."""
    try:
        return jobs.failed_policies(warehouse.home(), run_id)
    except jobs.PipelineError:
        return []


def archive(run_id: str) -> bytes:
    """A published run as a ZIP of what `righttree export` writes."""
    with tempfile.TemporaryDirectory(prefix="righttree-") as folder:
        return exchange.pack(warehouse.home(), run_id, Path(folder) / "run")


def profiles() -> list[str]:
    """Profiles of the package; `quick`, which suits most machines, comes first."""
    return sorted(jobs.profiles(), key=lambda name: (name != "quick", name))


def estimate(profile: str, changes: Mapping[str, Any]) -> jobs.Estimate:
    """What a run of a profile with changed settings will need. Raises InvalidSetting."""
    return jobs.estimate(warehouse.home(), jobs.configured(profile, changes))


def estimate_extension(run_id: str, additions: Mapping[str, Any]) -> jobs.Estimate:
    """What extending a run will need. Raises InvalidSetting for a wrong addition, or for none."""
    home = warehouse.home()
    return jobs.estimate_extension(home, run_id, jobs.extended(home, run_id, additions))


def free_bytes() -> int:
    """Free space on the disk of the data folder."""
    home = warehouse.home()
    return shutil.disk_usage(next(path for path in (home, *home.parents) if path.exists())).free


@st.cache_resource(max_entries=16, show_spinner=False)
def facts(snapshot: Snapshot, run_id: str) -> dict[str, Any]:
    """The row of a run in the warehouse; its `config`, `packages`, `host` and `timings` as mappings."""
    row = warehouse.runs(snapshot).row(by_predicate=pl.col("run_id") == run_id, named=True)
    return {**row, **{name: json.loads(row[name]) for name in _FACTS}}


class Headlines(NamedTuple):
    """How well accuracy predicts in some runs: `headline_rows`, and the evaluations by run and optimiser."""

    rows: pl.DataFrame
    evaluations: Mapping[str, Mapping[str, Evaluation]]


def headlines(snapshot: Snapshot, run_ids: Sequence[str]) -> Headlines:
    """Those of these runs, without optimisers that a run has not."""
    evaluations: dict[str, dict[str, Evaluation]] = {}
    policies = {}
    for run_id in run_ids:
        optimizers = curves.optimizers(snapshot, run_id)
        if overview_text.nothing_to_say(warehouse.reward_models(snapshot, run_id).height, optimizers):
            optimizers = ()
        evaluations[run_id] = {name: overview_data.evaluation(snapshot, run_id, name) for name in optimizers}
        for name in optimizers:
            policies[run_id, name] = overview_text.at(curves.value_curves(curves.Series(snapshot, run_id, name)))
    return Headlines(headline_rows(evaluations, policies), evaluations)


def headline_rows(
    evaluations: Mapping[str, Mapping[str, Evaluation]], policies: Mapping[tuple[str, str], str]
) -> pl.DataFrame:
    """Kendall τ of accuracy with NDR by run and optimiser: `run_id, optimizer, policies`, the columns of
    `frames.correlation_of`, and `pairs, undefined, prompts, rl_prompts`. `policies` names the policies of a run and
    optimiser.
    """
    rows = [
        {"run_id": run_id, "optimizer": optimizer, "policies": policies[run_id, optimizer]}
        | frames.correlation_of(evaluation.correlations["kendall"])
        | {
            "pairs": evaluation.ndr_MM.size - len(evaluation.ndr_MM) - evaluation.undefined_pairs,
            "undefined": evaluation.undefined_pairs,
            "prompts": evaluation.prompts_used,
            "rl_prompts": evaluation.rl_prompts_used,
        }
        for run_id, by_optimizer in evaluations.items()
        for optimizer, evaluation in by_optimizer.items()
    ]
    names = dict.fromkeys(("run_id", "optimizer", "policies"), pl.String)
    counts = dict.fromkeys(("pairs", "undefined", "prompts", "rl_prompts"), pl.Int64)
    return pl.DataFrame(rows, schema={**names, **frames.floats(*frames.CORRELATION), **counts})


def differing(runs: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """`setting`, then a column for each run: settings of the profile, then code, packages and machine, that differ.

    `runs` maps ids to what `facts` gives.
    """
    machines = {run_id: {name: run[name] for name in _MACHINE if run[name]} for run_id, run in runs.items()}
    tables = []
    for settings in ({run_id: run["config"] for run_id, run in runs.items()}, machines):
        values = {run_id: dict(flattened(of_run).iter_rows()) for run_id, of_run in settings.items()}
        names = dict.fromkeys(name for of_run in values.values() for name in of_run)
        rows = [
            {"setting": name} | {run_id: of_run.get(name, ABSENT) for run_id, of_run in values.items()}
            for name in names
        ]
        tables += [row for row in rows if len({row[run_id] for run_id in runs}) > 1]
    return pl.DataFrame(tables, schema=dict.fromkeys(("setting", *runs), pl.String))


def stages(runs: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """`stage_timings` of all runs below one another, with a column `run_id` first."""
    return pl.concat(
        stage_timings({"stages": run["timings"]}).select(pl.lit(run_id).alias("run_id"), pl.all())
        for run_id, run in runs.items()
    )


def stage_timings(manifest: Mapping[str, Any]) -> pl.DataFrame:
    """Seconds, units and peak memory of every stage in a run's manifest, in the order of the run."""
    schema = {
        "stage": pl.String,
        "wall_s": pl.Float64,
        "units": pl.Int64,
        "unit": pl.String,
        "peak_resident_bytes": pl.Int64,
    }
    empty = {"wall_s": 0.0, "units": 0, "unit": "", "peak_resident_bytes": 0}
    rows = [{"stage": name, **empty, **facts} for name, facts in manifest.get("stages", {}).items()]
    return pl.DataFrame(rows, schema=schema)


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
