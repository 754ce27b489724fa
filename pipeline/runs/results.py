"""Runs of which only the results are stored: imported ones, and those derived from published runs.

Their folder, `runs/<run_id>/`, is what `righttree export` writes: every table as Parquet, and `manifest.json` with the
checksums. It has no `config.json`, so there is nothing to resume or extend, but `righttree publish` publishes it again.
It is written from the new build before that is published, and gets its name after: where either fails, neither exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars as pl

from pipeline import runs
from pipeline.errors import NotWritten, write_errors
from pipeline.runs import locks
from warehouse import exchange, files, ingest, reads, store
from warehouse.errors import WarehouseError
from warehouse.store import Connection


def run_ids(data: Path) -> list[str]:
    """Ids of all runs of which only the results are stored."""
    folder = runs.runs_folder(data)
    return sorted(path.name for path in folder.iterdir() if is_stored(data, path.name)) if folder.is_dir() else []


def is_stored(data: Path, run_id: str) -> bool:
    """Whether a run has a folder with its results and nothing else."""
    path = runs.runs_folder(data) / run_id
    is_whole = (path / exchange.MANIFEST).is_file() and not (path / "config.json").exists()
    return is_whole and not run_id.startswith(".")


@contextmanager
def storing(data: Path, run_id: str, exported: Path | None = None) -> Iterator[Callable[[Connection], None]]:
    """Store a run that the body publishes: it has to hand what this yields to the publication, as `then`.

    `exported`: the run's folder elsewhere, whose files are copied as they are instead of written from the new build.
    Raises WarehouseError if the disk is full; then nothing is stored, and nothing is published.
    """
    path = runs.runs_folder(data) / run_id
    with ExitStack() as held, files.replacing(path, replace_folder=True) as draft:

        def write(connection: Connection) -> None:
            try:
                with write_errors(path):
                    path.parent.mkdir(exist_ok=True)
                    held.enter_context(locks.drafting(path.parent))
                    if exported is None:
                        exchange.write_run(connection, run_id, draft)
                    else:
                        exchange.copy_run(exported, draft)
            except NotWritten as error:  # a system error, which would pass for one of the build's own
                raise WarehouseError(str(error)) from error

        yield write


def publish(data: Path, run_id: str) -> dict[str, int]:
    """Publish a stored run (again); returns rows per table. Raises InvalidRows if its folder is damaged."""
    path = runs.runs_folder(data) / run_id
    with locks.hold(path):  # so that nobody deletes it meanwhile
        _, rows = exchange.read_folder(path)
        return ingest.publish(data, rows, f"run {run_id}")


def replace_table(data: Path, run_id: str, table: str, rows: pl.DataFrame, origin: str) -> None:
    """Publish a run again with other rows in one table, and store it so."""
    with ExitStack() as held:
        if is_stored(data, run_id):
            held.enter_context(locks.hold(runs.runs_folder(data) / run_id))
        then = held.enter_context(storing(data, run_id))
        ingest.replace_table(data, run_id, table, rows, origin, then=then)


def rescue(data: Path) -> list[str]:
    """Store the runs that are only in the warehouse, as older versions imported them; returns their ids.

    The recorded run is in the package and needs no folder. First removes what killed processes left in `runs`.

    If nothing is published, because somebody removed the link, those of the newest build are stored. Raises
    WarehouseError if it cannot be read.
    """
    if runs.runs_folder(data).is_dir():
        with locks.drafting(runs.runs_folder(data)):
            pass
    build = store.build_id(data) or store.newest_build(data)
    if build is None:
        return []
    try:
        with store.open_read_only(data, build) as connection:
            published = reads.runs.all_runs(connection)["run_id"].to_list()
            missing = [
                run_id
                for run_id in published
                if run_id != reads.runs.RECORDED and not (runs.runs_folder(data) / run_id).exists()
            ]
            for run_id in missing:
                with storing(data, run_id) as write:
                    write(connection)
    except store.Unreadable as error:
        raise store.unreadable(data / build, error) from error
    return missing
