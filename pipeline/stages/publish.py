"""Stage 10: the manifest, which marks the run as complete, then all its rows into a new build of the warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from pipeline import runs
from pipeline.context import Context, StageResult
from pipeline.provenance import code_version, host, package_versions
from pipeline.runs import RunDirectory
from pipeline.stages import STAGES
from warehouse import ingest
from warehouse.schema import TABLES


def run(context: Context) -> StageResult:
    stages = {stage: context.run.stage_facts(stage) for stage in STAGES if context.run.is_done(stage)}
    if not context.run.is_finished:
        context.run.finish(
            {
                "run_id": context.run.run_id,
                "started_at": runs.created_at(context.run.path),
                "finished_at": runs.moment(context.run.path.parent.parent),
                "wall_s": round(sum(facts["wall_s"] for facts in stages.values()), 3),
                "code_version": code_version(),
                "config": context.config.model_dump(mode="json"),
                "packages": package_versions(),
                "host": host(),
                "stages": stages,
            }
        )
    written = publish_run(context.run)
    rows = sum(written.values())
    context.progress.plan(rows, "rows", rows)
    return StageResult(rows, "rows")


def publish_run(run: RunDirectory) -> dict[str, int]:
    """Publish a finished run (again); returns rows per table. Raises PipelineError if it is unfinished or damaged."""
    manifest = run.whole_manifest()
    rows: dict[str, pl.DataFrame | Iterator[pl.DataFrame]] = {name: _rows(run, name) for name in TABLES}
    rows["run"] = pl.DataFrame([_run_row(manifest)])
    return ingest.publish(run.path.parent.parent, rows, f"run {run.run_id}")


def _rows(run: RunDirectory, table: str) -> Iterator[pl.DataFrame]:
    """The run's rows of a table, part by part; parts copied from another run get this run's id."""
    return (part.with_columns(run_id=pl.lit(run.run_id)) for part in run.each_part(table))


def _run_row(manifest: dict[str, Any]) -> dict[str, Any]:
    config = manifest["config"]
    same = ("run_id", "started_at", "finished_at", "wall_s", "code_version")
    return {name: manifest[name] for name in same} | {
        "profile": config["profile"],
        "seed": config["seed"],
        "base_model": config["policy"]["model"],
        "config": json.dumps(config),
        "packages": json.dumps(manifest["packages"]),
        "host": json.dumps(manifest["host"]),
        "timings": json.dumps(manifest["stages"]),
    }
