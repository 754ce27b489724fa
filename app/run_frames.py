"""Two runs beside each other, as tables. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from app import frames
from warehouse.measures import Evaluation

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
        frames.stage_timings({"stages": run["timings"]}).select(pl.lit(run_id).alias("run_id"), pl.all())
        for run_id, run in runs.items()
    )


def headlines(
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
    sides = [frames.flattened(settings) for settings in (first, second)]
    joined = sides[0].join(
        sides[1], on="setting", how="full", coalesce=True, suffix="_second", maintain_order="left_right"
    )
    return joined.filter(pl.col("value").ne_missing(pl.col("value_second"))).select(
        "setting", first=pl.col("value").fill_null(ABSENT), second=pl.col("value_second").fill_null(ABSENT)
    )
