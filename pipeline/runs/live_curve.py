"""A training curve that can be watched while it grows: one JSON line per point in the run's work folder.

When the training ends, the table `training_curve` gets the same points as a part. A resumed training cuts the file back
to the step where it continues, so that no point is there twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl

from pipeline.runs import RunDirectory
from warehouse.schema import TABLES

FOLDER = "curves"
AT_CHECKPOINT = "test_"
"""Prefix of metrics of a checkpoint's fresh samples, which are drawn after its step."""


class LiveCurve:
    """The curve of one model; `unit` is its name in file names."""

    def __init__(self, run: RunDirectory, model_id: str, unit: str) -> None:
        self._model_id = model_id
        self._run = run
        self._path = run.work_path(FOLDER, f"{unit}.jsonl")

    def begin(self, step: int) -> None:
        """Drop the points of this step and later ones, except those of the checkpoint at it."""
        at_checkpoint = (pl.col("step") == step) & pl.col("metric").str.starts_with(AT_CHECKPOINT)
        points = self.frame().filter((pl.col("step") < step) | at_checkpoint)
        lines = "".join(json.dumps(row) + "\n" for row in points.iter_rows(named=True))
        self._run.write_atomically(self._path, lambda path: path.write_text(lines))

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Append the metrics of a step."""
        point = {"model_id": self._model_id, "step": step}
        lines = [json.dumps({**point, "metric": metric, "value": value}) + "\n" for metric, value in figures.items()]
        with self._run.write_errors(self._path), self._path.open("a") as file:
            file.write("".join(lines))

    def frame(self) -> pl.DataFrame:
        """The points so far: `model_id, metric, step, value`."""
        return read_points(self._path.read_text() if self._path.exists() else "")

    def close(self) -> None:
        """Remove the file: the part has the points now."""
        self._path.unlink(missing_ok=True)


def read_points(lines: str) -> pl.DataFrame:
    """Points of a file; an unfinished last line is ignored."""
    whole = lines[: lines.rfind("\n") + 1].splitlines()
    schema = {name: kind for name, kind in TABLES["training_curve"].polars_schema.items() if name != "run_id"}
    return pl.DataFrame([json.loads(line) for line in whole], schema=schema)
