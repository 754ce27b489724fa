"""A whole run as a folder of Parquet files, out of the warehouse and back in, without losing a bit.

```
<target>/<table>.parquet   every table of `warehouse.schema`, its rows sorted by key
        /manifest.json     format, run, rows and SHA-256 of each file; no time, so the same run gives the same bytes
```
The folder is written under a temporary name and renamed, so it is whole or absent.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from warehouse import files, reads, store
from warehouse.errors import InvalidChoice, UnknownName, WarehouseError
from warehouse.exchange.files import read_parquet
from warehouse.exchange.sheet import invalid, shown
from warehouse.schema import TABLES

_FORMAT = "righttree-run-1"
MANIFEST = "manifest.json"


def export_run(data: Path, run_id: str | None, target: Path) -> tuple[str, dict[str, int]]:
    """Write a run (default: the newest) into the new folder `target`; returns its id and the rows per table.

    Raises UnknownName for a run that is not there, InvalidChoice for a target that is, WarehouseError if writing fails.
    """
    if os.path.lexists(target):
        raise InvalidChoice(f"{target} exists already; name a folder that does not")
    with store.open_read_only(data) as connection:
        run_id = run_id or reads.runs.newest_run(connection)
        if run_id is None:
            raise UnknownName("the warehouse has no run yet; start one with `righttree run --profile quick`")
        frames = {name: _table(connection, name, run_id) for name in TABLES}
        if frames["run"].is_empty():
            raise UnknownName(
                f"run {run_id!r} is not in the warehouse; it has {reads.runs.all_runs(connection)['run_id'].to_list()}"
            )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(target) as draft:
            draft.mkdir()
            _write(draft, run_id, frames)
    except OSError as error:
        raise WarehouseError(f"{target} cannot be written ({error.strerror}); export to another folder") from error
    return run_id, {name: frame.height for name, frame in frames.items()}


def read_folder(folder: Path, run_id: str | None = None) -> tuple[str, dict[str, pl.DataFrame]]:
    """The rows of an exported run, under its own id or a new one. Raises InvalidRows for what is not as written."""
    manifest = _manifest(folder)
    own = manifest["run_id"]
    frames = {}
    for name, facts in manifest["tables"].items():
        path = folder / f"{name}.parquet"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise invalid(f"{path}: cannot be read ({error.strerror}); export the run again") from error
        if hashlib.sha256(content).hexdigest() != facts.get("sha256"):
            raise invalid(f"{path}: not the file that was exported: cut off or changed; export the run again")
        frame = read_parquet(path.name, content)
        if frame.height != facts.get("rows") or set(frame.columns) != set(TABLES[name].polars_schema):
            raise invalid(
                f"{path}: got {frame.height} rows of {frame.columns}, unlike {MANIFEST}; export the run again"
            )
        stray = frame.filter(pl.col("run_id") != own)
        if stray.height:
            raise invalid(
                f"{path}, column run_id: got {shown(stray['run_id'][0])}, wanted {own!r}; export the run again"
            )
        frames[name] = frame.with_columns(run_id=pl.lit(run_id or own))
    return run_id or own, frames


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise invalid(
            f"{path}: no manifest of an exported run; give files, or a folder of `righttree export`"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise invalid(f"{path}: wanted format {_FORMAT!r}; export the run again with this version")
    tables, run_id = manifest.get("tables"), manifest.get("run_id")
    whole = isinstance(tables, dict) and all(isinstance(facts, dict) for facts in tables.values())
    if not whole or set(tables or ()) != set(TABLES) or not isinstance(run_id, str) or not run_id:
        raise invalid(f"{path}: wanted run_id and the tables {list(TABLES)}; export the run again")
    return manifest


def _table(connection: duckdb.DuckDBPyConnection, name: str, run_id: str) -> pl.DataFrame:
    table = TABLES[name]
    keys = ", ".join(f'"{key}"' for key in table.keys)
    rows = connection.execute(f'SELECT * FROM "{name}" WHERE run_id = ? ORDER BY {keys}', [run_id]).pl()
    return rows.select(pl.col(column.name).cast(column.dtype) for column in table.columns).rechunk()


def _write(folder: Path, run_id: str, frames: dict[str, pl.DataFrame]) -> None:
    tables = {}
    for name, frame in frames.items():
        path = folder / f"{name}.parquet"
        frame.write_parquet(path, compression="zstd")
        tables[name] = {"rows": frame.height, "sha256": _digest(path)}
    (folder / MANIFEST).write_text(json.dumps({"format": _FORMAT, "run_id": run_id, "tables": tables}, indent=2) + "\n")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
