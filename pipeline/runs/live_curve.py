"""A training curve that can be watched while it grows: one JSON line a point in the run's work folder.

`training_curve` gets the same points, as a part, when the training ends. A resumed training cuts the file back to the
step it goes on from, so no point stands twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl

from pipeline.runs import RunDirectory
from warehouse.schema import TABLES

FOLDER = "curves"
AT_CHECKPOINT = "test_"
"""How the names of figures begin that are of a checkpoint's fresh samples, taken after its step."""


class LiveCurve:
    """The curve of one model; `unit` is its name in names of files."""

    def __init__(self, run: RunDirectory, model_id: str, unit: str) -> None:
        self._model_id = model_id
        self._run = run
        self._path = run.work_path(FOLDER, f"{unit}.jsonl")

    def begin(self, step: int) -> None:
        """Keep the points of the steps before this one, and of the checkpoint at it; what came after is made again."""
        at_checkpoint = (pl.col("step") == step) & pl.col("metric").str.starts_with(AT_CHECKPOINT)
        kept = self.frame().filter((pl.col("step") < step) | at_checkpoint)
        lines = "".join(json.dumps(row) + "\n" for row in kept.iter_rows(named=True))
        self._run.write_atomically(self._path, lambda path: path.write_text(lines))

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        rows = [
            {"model_id": self._model_id, "metric": metric, "step": step, "value": value}
            for metric, value in figures.items()
        ]
        with self._run.write_errors(self._path), self._path.open("a") as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows))

    def frame(self) -> pl.DataFrame:
        """The points so far: `model_id, metric, step, value`."""
        return read_points(self._path.read_text() if self._path.exists() else "")

    def close(self) -> None:
        """Remove the file: the part has the points now."""
        self._path.unlink(missing_ok=True)


def read_points(lines: str) -> pl.DataFrame:
    """Points of a file; a last line that is still being written is left out."""
    whole = lines[: lines.rfind("\n") + 1].splitlines()
    schema = {name: kind for name, kind in TABLES["training_curve"].polars_schema.items() if name != "run_id"}
    return pl.DataFrame([json.loads(line) for line in whole], schema=schema)
