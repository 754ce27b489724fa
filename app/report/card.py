"""All that a report card says about a reward model, as plain lists and numbers: the JSON block inside of the file.

Its names are a public interface (docs/report.md). Null is what is undefined or unknown; `undefined` counts it and says
why. Every figure comes from the reads and statistics that the pages and commands use too.
"""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from importlib import metadata

import polars as pl

from app.report import policies, predicted, scores
from app.report.subject import Section, Subject
from warehouse import reads
from warehouse.stats.bootstrap import wilson_interval

SCHEMA_VERSION = 1

_PACKAGES = ("righttree", "numpy", "scipy", "polars", "duckdb", "altair", "vl-convert-python")
_TRAINED = ("flip_rate", "length_bias", "trainable_layers", "seed", "train_pairs")


def card(about: Subject) -> Section:
    """The whole card."""
    sections = {**scores.sections(about), **policies.sections(about), **predicted.sections(about)}
    return {
        "schema_version": SCHEMA_VERSION,
        "reward_model": _identity(about),
        "judged_by": {
            "goldens": [about.scorers[golden] for golden in about.judges],
            "truth": about.task.truth,
            "candidates": len(about.task.sides.candidates),
        },
        **sections,
        "undefined": about.undefined,
        "provenance": _provenance(about),
    }


def _identity(about: Subject) -> Section:
    row = about.models.row(about.place, named=True)
    pairs = reads.runs.validation_pairs(about.connection, about.run_id)
    accuracy = row["validation_accuracy"]
    low, high = wilson_interval(round(accuracy * pairs), pairs) if accuracy is not None and pairs else (None, None)
    unknown = [name for name in (*_TRAINED, "validation_accuracy") if row[name] is None]
    if unknown:
        words = ", ".join(name.replace("_", " ") for name in unknown)
        about.lacks(words, "how it was trained was not recorded for this run")
    return {
        "name": about.name,
        "kind": row["kind"],
        "role": row["role"],
        "base_model": None if row["base_model"] == "unknown" else row["base_model"],
        **{name: row[name] for name in _TRAINED},
        "validation_accuracy": {"value": accuracy, "low": low, "high": high, "pairs": pairs or None},
    }


def _provenance(about: Subject) -> Section:
    run = reads.runs.all_runs(about.connection).row(by_predicate=pl.col("run_id") == about.run_id, named=True)
    chosen = about.task.question.goldens
    command = ["righttree", "report", about.name, "--run", about.run_id]
    command += ["--golden", ",".join(chosen)] if chosen else []
    command += ["--seed", str(about.task.seed)] if about.task.seed else []
    return {
        "command": shlex.join(command),
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": about.task.seed,
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "run": {name: run[name] for name in ("run_id", "profile", "seed", "started_at", "finished_at", "base_model")}
        | {name: run[name] for name in ("code_version", "config", "packages", "host")},
    }
