"""Where the warehouse lives: open it read-only, or build a new one and put it in the old one's place.

DuckDB lets one writer *or* many readers hold a file. So nobody writes to a file that readers may have open: `building`
makes a new `warehouse-<build>.duckdb` and, only when all went well, swaps the symlink `warehouse.duckdb` to it by one
atomic rename. Readers keep the build they opened; the file's name is the build id and the key of every cache.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from warehouse import files
from warehouse.errors import NoWarehouse, WarehouseError
from warehouse.schema import TABLES

Connection = duckdb.DuckDBPyConnection
LINK = "warehouse.duckdb"
Damaged = duckdb.IOException
"""What a query raises where the file is damaged: DuckDB holds every block that it reads against a checksum."""

_MOST_MEMORY_BYTES = 4 * 2**30
_BUILDS_KEPT = 2  # today's and the one before it: a reader may have resolved the link just before the swap


def home() -> Path:
    """The data folder: `RIGHTTREE_HOME`, or `./data`."""
    return Path(os.environ.get("RIGHTTREE_HOME") or "data").absolute()


def build_id(data: Path) -> str | None:
    """Name of the published file in the data folder; None where nothing is published."""
    try:
        return (data / LINK).readlink().name
    except OSError:
        return None


def open_read_only(data: Path, build: str | None = None) -> duckdb.DuckDBPyConnection:
    """Open a build (default: the published one) with no access to anything else.

    The connection belongs to one thread; give every other its own `.cursor()`.

    Raises:
        NoWarehouse: nothing is published, or the named build is gone.
        WarehouseError: the file cannot be read as a DuckDB database, or lacks columns that there are today.
    """
    for attempt in range(3):
        name = build or build_id(data)
        if name is None:
            raise NoWarehouse(f"no warehouse in {data}: make one with `righttree run --profile quick`")
        path = data / name
        try:
            connection = duckdb.connect(
                str(path), read_only=True, config={"enable_external_access": False, "lock_configuration": True}
            )
        except duckdb.Error as error:
            if path.exists():
                raise WarehouseError(f"{path} cannot be opened ({_first_line(error)}): {_remedy(path)}") from error
            if build or attempt == 2:
                raise NoWarehouse(f"the build {name} is gone from {data}: open the published one instead") from error
            continue
        _check_columns(connection, path)
        return connection
    raise AssertionError("unreachable")


def damage(data: Path, error: duckdb.Error) -> str:
    """One line for a query on the published build that ended with `Damaged`."""
    return f"{data / (build_id(data) or LINK)} is damaged ({_first_line(error)}): {_remedy(data / LINK)}"


def _remedy(path: Path) -> str:
    """What to do about a published build that cannot be read: the one before it is kept, runs have their folders."""
    data, published = path.parent, build_id(path.parent)
    others = sorted(build.name for build in data.glob("warehouse-*.duckdb") if build.name != published)
    link = shlex.quote(str(data / LINK))
    if not others:
        return f"`rm {link}`, then `righttree publish` builds the warehouse from the run directories"
    return f"`ln -sfn {others[-1]} {link}` goes back to the build before it, `righttree publish` adds what it lacks"


def _check_columns(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    there = _columns(connection, connection.execute("SELECT current_database()").fetchall()[0][0])
    missing = [
        f"{table.name}.{column.name}"
        for table in TABLES.values()
        for column in table.columns
        if column.name not in there.get(table.name, ())
    ]
    if missing:
        connection.close()
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise WarehouseError(
            f"{path} was built by an older version, without {missing[0]}{more}: build it anew with `righttree publish`"
        )


def _columns(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, list[str]]:
    """Names of the columns of every table of an attached database."""
    rows = connection.execute(
        "SELECT table_name, list(column_name) FROM duckdb_columns() WHERE database_name = ? GROUP BY ALL", [database]
    ).fetchall()
    return dict(rows)


@contextmanager
def building(data: Path, without: Sequence[str] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
    """A writable connection to a new build that holds all tables and the published rows; published on success.

    `without` names runs whose published rows are left out.

    One build at a time per data folder: another one waits. When the body raises, the published build stays as it was.

    Raises WarehouseError, too, where the folder cannot be written or its disk is full.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        with (data / ".publish.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _remove_leftovers(data)
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
            target = data / f"warehouse-{stamp}-{uuid.uuid4().hex[:8]}.duckdb"
            draft = target.with_name(f".{target.name}.draft")
            with _written(draft) as connection:
                _create_from_published(connection, data, without)
                yield connection
            draft.rename(target)
            _point_link(data, target)
            _remove_old_builds(data)
    except (OSError, duckdb.OperationalError, duckdb.FatalException) as error:
        reason = error.strerror if isinstance(error, OSError) else _first_line(error)
        raise WarehouseError(
            f"{data} cannot be written ({reason}), so what was published before stays; make room or set RIGHTTREE_HOME"
        ) from error


@contextmanager
def _written(draft: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A new database file, whole on the disk in the end, or gone."""
    try:
        config: dict[str, Any] = {
            "storage_compatibility_version": "v1.5.0",
            "memory_limit": f"{_memory_bytes() // 2**20}MiB",
        }
        with duckdb.connect(str(draft), config=config) as connection:
            yield connection
            connection.execute("CHECKPOINT")  # to close does so too, but keeps silent when the disk is full
        files.sync_path(draft)
    except BaseException:
        for leftover in draft.parent.glob(f"{draft.name}*"):
            files.remove(leftover)
        raise


def _memory_bytes() -> int:
    """What DuckDB may hold in memory while a build is made; what it needs beyond that, it keeps beside the draft."""
    return min(_MOST_MEMORY_BYTES, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


def _create_from_published(connection: duckdb.DuckDBPyConnection, data: Path, without: Sequence[str]) -> None:
    for table in TABLES.values():
        connection.execute(table.ddl)
    published = build_id(data)
    if published is None:
        return
    path = str(data / published).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{path}' AS published (READ_ONLY)")
        there = _columns(connection, "published")
        for table in TABLES.values():  # what an older build lacks is empty, or the file is refused
            shared = [column.name for column in table.columns if column.name in there.get(table.name, ())]
            if not shared:
                continue
            columns = ", ".join(f'"{name}"' for name in shared)
            connection.execute(
                f'INSERT INTO main."{table.name}" ({columns}) SELECT {columns} FROM published.main."{table.name}" '
                "WHERE NOT list_contains(?, run_id)",
                [list(without)],
            )
        connection.execute("DETACH published")
    except duckdb.Error as error:
        reason = _first_line(error)
        raise WarehouseError(
            f"the published {data / published} cannot be carried over ({reason}): {_remedy(data / published)}"
        ) from error


def _point_link(data: Path, target: Path) -> None:
    with files.replacing(data / LINK) as draft:
        draft.symlink_to(target.name)


def _remove_old_builds(data: Path) -> None:
    builds = sorted(data.glob("warehouse-*.duckdb"))  # the names sort by time
    published = build_id(data)
    others = [build for build in builds if build.name != published]
    for build in others[: max(0, len(others) - (_BUILDS_KEPT - 1))]:
        build.unlink(missing_ok=True)


def _remove_leftovers(data: Path) -> None:
    """What a killed build left behind; safe, as the caller holds the publish lock."""
    for leftover in [*data.glob(".warehouse-*.draft*"), *data.glob(f"{files.TEMPORARY}*-{LINK}")]:
        files.remove(leftover)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
