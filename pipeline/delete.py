"""Deleting a run: out of the warehouse by a new build without it, then its directory.

In this order, so that a kill in between leaves a run that can be deleted again. Runs that extend it keep what they took
over; readers keep the build that they opened.
"""

from __future__ import annotations

from pathlib import Path

from pipeline import runs
from pipeline.errors import RunBusy, UnknownRun
from warehouse import ingest, reads, store


def delete(data: Path, run_id: str) -> None:
    """Delete a run of the data folder, or one that is in the warehouse alone.

    Raises UnknownRun, RunBusy for a run that is at work or waits, WarehouseError if the warehouse cannot be read: then
    nothing is deleted.
    """
    published = run_id in _published(data)
    run = runs.open_run(data, run_id) if run_id in runs.run_ids(data) else None
    if run is None and not published:
        raise UnknownRun(f"no run {run_id!r} in {data}; `righttree runs` lists those that there are")
    if run is not None and run.is_running:
        raise RunBusy(f"run {run_id} is at work: `righttree cancel {run_id}` stops it, then it can be deleted")
    if published:
        ingest.remove(data, run_id)
    if run is not None:
        runs.remove(run)


def _published(data: Path) -> list[str]:
    if store.build_id(data) is None:
        return []
    with store.open_read_only(data) as connection:
        return list(reads.runs(connection)["run_id"])
