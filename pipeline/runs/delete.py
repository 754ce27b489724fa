"""Deleting a run: out of the warehouse by a new build without it, then its directory.

In this order, so that a kill in between leaves a run that can be deleted again. The run is held from before the first
look until it is gone, so that nobody begins to work on it, or publishes it, in between. Runs that extend it keep what
they took over; readers keep the build that they opened.
"""

from __future__ import annotations

from pathlib import Path

from pipeline import runs
from pipeline.errors import UnknownRun
from pipeline.runs import locks
from pipeline.runs.recorded import published_runs
from warehouse import ingest


def delete(data: Path, run_id: str) -> None:
    """Delete a run of the data folder, whether it can be read or not, or one that is in the warehouse alone.

    Raises UnknownRun, RunBusy for a run that is executing or waits, WarehouseError if the warehouse cannot be read:
    then nothing is deleted.
    """
    if run_id not in runs.run_ids(data):
        if not _unpublish(data, run_id):
            raise UnknownRun(f"no run {run_id!r} in {data}; `righttree runs` lists the existing ones")
        return
    path = runs.run_path(data, run_id)
    with locks.hold(path):
        _unpublish(data, run_id)
        runs.remove(path)


def _unpublish(data: Path, run_id: str) -> bool:
    """Take the run's rows out of the warehouse; whether it had any."""
    published = run_id in published_runs(data)
    if published:
        ingest.remove(data, run_id)
    return published
