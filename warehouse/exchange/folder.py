"""A whole run as a folder of Parquet files or as one ZIP, out of the warehouse and back in, without losing a bit.

```
<target>/<table>.parquet   every table of `warehouse.schema`, its rows sorted by key
        /manifest.json     format, run, rows and SHA-256 of each file; no time, so the same run gives the same bytes
```
The folder is written under a temporary name and renamed, so it is whole or absent.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from warehouse import files, reads, store
from warehouse.errors import InvalidChoice, UnknownName, WarehouseError
from warehouse.exchange.reading.arrow import read_arrow
from warehouse.exchange.reading.content import Kind
from warehouse.exchange.reading.limits import COMMAND_LINE, RATIO, Limits
from warehouse.exchange.rounding import rounded
from warehouse.exchange.sheet import CUT, invalid, shown
from warehouse.schema import ADDED_LATER, TABLES

ARCHIVE = ".zip"
MANIFEST = "manifest.json"
_FORMAT = "righttree-run-1"
_FILES = (MANIFEST, *(f"{table}.parquet" for table in TABLES))
_NEEDED = set(TABLES) - set(ADDED_LATER)
_LEVEL = 12  # of zstd: a tenth smaller than its default, and still faster than the disk
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the same run gives the same bytes, whenever it is exported
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# what `zipfile` raises on damaged bytes: not all of it is its own
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    EOFError,
)


def export_run(
    data: Path, run_id: str | None, target: Path, *, in_fewer_digits: bool = False
) -> tuple[str, dict[str, int]]:
    """Write a run (None: the default one) into the new folder `target`; returns its id and the rows per table.

    With `in_fewer_digits` it takes a third of the bytes: scores are rounded (`rounding.py`).
    Raises UnknownName for an unknown run, InvalidChoice for a target that exists, WarehouseError if writing fails.
    """
    if os.path.lexists(target):
        raise InvalidChoice(f"{target} exists already; name a folder that does not")
    frames = run_rows(data, run_id)
    frames = rounded(frames) if in_fewer_digits else frames
    run_id = str(frames["run"]["run_id"][0])
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(target) as draft:
            draft.mkdir()
            _write(draft, run_id, frames.items(), _LEVEL)
    except OSError as error:
        raise WarehouseError(f"{target} cannot be written ({error.strerror}); export to another folder") from error
    return run_id, {name: frame.height for name, frame in frames.items()}


def write_run(connection: store.Connection, run_id: str, folder: Path) -> None:
    """Write a run of an open warehouse into the new `folder`, a table at a time; raises OSError."""
    folder.mkdir()
    _write(folder, run_id, ((name, _table(connection, name, run_id)) for name in TABLES))


def copy_run(folder: Path, target: Path) -> None:
    """Copy the files of an exported run, which was read already, into the new folder `target`; raises OSError."""
    target.mkdir()
    for name in _FILES:
        if (folder / name).exists():
            shutil.copyfile(folder / name, target / name)


def run_rows(data: Path, run_id: str | None) -> dict[str, pl.DataFrame]:
    """All rows of a run of the warehouse (None: the default one), by table, sorted by key. Raises UnknownName."""
    with store.open_read_only(data) as connection:
        run_id = reads.runs.named_or_default(connection, run_id)
        frames = {name: _table(connection, name, run_id) for name in TABLES}
        if frames["run"].is_empty():
            known = reads.runs.all_runs(connection)["run_id"].to_list()
            raise UnknownName(f"run {run_id!r} is not in the warehouse; it has {known}")
    return frames


def read_folder(
    folder: Path, run_id: str | None = None, limits: Limits = COMMAND_LINE
) -> tuple[str, dict[str, pl.DataFrame]]:
    """The rows of an exported run, under its own id or a new one.

    Raises InvalidRows if anything was changed, or if it is too large.
    """
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
        frame = read_arrow(path.name, content, Kind.PARQUET, limits).frame
        limits = limits.left(frame.height, len(content))
        needed = {column.name for column in TABLES[name].columns if not column.nullable}
        if frame.height != facts.get("rows") or not needed <= set(frame.columns) <= set(TABLES[name].polars_schema):
            got = f"{frame.height} rows of {frame.columns}"
            raise invalid(f"{path}: got {got}, unlike {MANIFEST}; export the run again")
        foreign = frame.filter(pl.col("run_id") != own)["run_id"]
        if len(foreign):
            raise invalid(f"{path}, column run_id: got {shown(foreign[0])}, wanted {own!r}; export the run again")
        frames[name] = frame.with_columns(run_id=pl.lit(run_id or own))
    return run_id or own, frames


def pack(data: Path, run_id: str, folder: Path) -> bytes:
    """Export a run into the new `folder` and return it as a ZIP; raises what `export_run` does."""
    export_run(data, run_id, folder)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # Parquet is compressed already
        for name in _FILES:
            archive.writestr(zipfile.ZipInfo(f"{run_id}/{name}", _EARLIEST), (folder / name).read_bytes())
    return target.getvalue()


def unpack(name: str, content: bytes, folder: Path, limits: Limits) -> None:
    """Write the files of an exported run, wherever they are in the ZIP, into the new `folder`.

    Raises InvalidRows for a ZIP that is damaged, holds anything else, or is larger than the limits unpacked.
    """
    folder.mkdir()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {info.filename.rsplit("/", 1)[-1]: info for info in archive.infolist() if not info.is_dir()}
            if not {MANIFEST, *(f"{table}.parquet" for table in _NEEDED)} <= set(entries) <= set(_FILES):
                raise invalid(f"{name}: no export of a run: it has to hold {', '.join(_FILES)} and nothing else")
            if any(info.compress_type not in _METHODS for info in entries.values()):
                raise invalid(f"{name}: compressed by another method than deflate; pack it as it was exported")
            left = most = limits.most_unpacked(len(content))
            for file, info in entries.items():
                with archive.open(info) as packed:
                    unpacked = packed.read(left + 1)  # the sizes that the ZIP states are not trusted
                left -= len(unpacked)
                if left < 0:
                    above = "" if most == limits.unpacked_bytes else f", above {RATIO} times its size"
                    limit = f"more than {most // 2**20:,} MiB unpacked{above}"
                    raise invalid(f"{name}: {limit}; unpack it and `righttree import` it")
                (folder / file).write_bytes(unpacked)
    except WarehouseError:
        raise
    except _DAMAGED as error:
        raise invalid(f"{name}: no whole ZIP file ({error}); {CUT}") from error


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        remedy = "give files, or a folder of `righttree export`"
        raise invalid(f"{path}: no manifest of an exported run; {remedy}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise invalid(f"{path}: wanted format {_FORMAT!r}; export the run again with this version")
    tables, run_id = manifest.get("tables"), manifest.get("run_id")
    whole = isinstance(tables, dict) and all(isinstance(facts, dict) for facts in tables.values())
    if not whole or not _NEEDED <= set(tables or ()) <= set(TABLES) or not isinstance(run_id, str) or not run_id:
        raise invalid(f"{path}: wanted run_id and the tables {list(TABLES)}; export the run again")
    return manifest


def _table(connection: store.Connection, name: str, run_id: str) -> pl.DataFrame:
    table = TABLES[name]
    keys = ", ".join(f'"{key}"' for key in table.keys)
    rows = connection.execute(f'SELECT * FROM "{name}" WHERE run_id = ? ORDER BY {keys}', [run_id]).pl()
    return rows.select(pl.col(column.name).cast(column.dtype) for column in table.columns).rechunk()


def _write(folder: Path, run_id: str, frames: Iterable[tuple[str, pl.DataFrame]], level: int | None = None) -> None:
    """`level` is that of Zstandard; None: its default, which is faster."""
    tables = {}
    for name, frame in frames:
        path = folder / f"{name}.parquet"
        frame.write_parquet(path, compression="zstd", compression_level=level)
        with path.open("rb") as file:
            tables[name] = {"rows": frame.height, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    (folder / MANIFEST).write_text(json.dumps({"format": _FORMAT, "run_id": run_id, "tables": tables}, indent=2) + "\n")
