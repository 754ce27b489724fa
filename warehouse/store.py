"""Where the warehouse is stored: open it read-only, or build a new one that replaces it.

DuckDB lets one writer *or* many readers hold a file. So nobody writes to a file that readers may have open: `building`
writes a new `warehouse-<build>.duckdb` and, only if all succeeded, points the symlink `warehouse.duckdb` to it by
one atomic rename. Readers keep the build they opened; the file's name is the build id and the key of every cache.
"""

from __future__ import annotations

import fcntl
import os
import resource
import shlex
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from warehouse import files
from warehouse.errors import NoWarehouse, WarehouseError, first_line
from warehouse.schema import TABLES

Connection = duckdb.DuckDBPyConnection
LINK = "warehouse.duckdb"
Damaged = duckdb.IOException
"""What a query raises on a damaged file: DuckDB checks the checksum of every block that it reads."""
Unreadable = duckdb.Error
"""The root of what a query can raise on a file that is damaged or of another version."""

_MOST_MEMORY_BYTES = 4 * 2**30


def home() -> Path:
    """The data folder: `RIGHTTREE_HOME`, or `./data`."""
    return Path(os.environ.get("RIGHTTREE_HOME") or "data").absolute()


def build_id(data: Path) -> str | None:
    """Name of the published file in the data folder; None if nothing is published."""
    try:
        return (data / LINK).readlink().name
    except OSError:
        return None


def newest_build(data: Path) -> str | None:
    """Name of the newest build in the data folder, published or not; None if there is none."""
    return max((build.name for build in data.glob("warehouse-*.duckdb")), default=None)


def open_read_only(data: Path, build: str | None = None) -> Connection:
    """Open a build (default: the published one) with no access to anything else.

    The connection belongs to one thread; give every other its own `.cursor()`. Raises NoWarehouse if nothing is
    published or the build was removed, WarehouseError for a file that is no DuckDB database or of an older version.
    """
    for _ in range(3):  # the published build may be replaced and removed before it is opened
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
                raise WarehouseError(f"{path} cannot be opened ({first_line(error)}): {_remedy(path)}") from error
        else:
            _check_columns(connection, path)
            return connection
    raise NoWarehouse(f"the build {name} is gone from {data}: open the published one instead")


def unreadable(path: Path, error: duckdb.Error) -> WarehouseError:
    """The error for a build whose queries fail."""
    return WarehouseError(f"{path} is damaged ({first_line(error)}): {_remedy(path)}")


def damage(data: Path, error: duckdb.Error) -> str:
    """The message for a query on the published build that raised `Damaged`."""
    return f"{data / (build_id(data) or LINK)} is damaged ({first_line(error)}): {_remedy(data / LINK)}"


def _remedy(path: Path) -> str:
    """What to do about a published build that cannot be read: go back to the previous one, or build it again."""
    data = path.parent
    others = _other_builds(data)
    link = shlex.quote(str(data / LINK))
    if not others:
        return f"`rm {link}`, then `righttree publish` builds the warehouse from the run directories"
    return f"`ln -sfn {others[-1].name} {link}` goes back to the previous build, `righttree publish` adds what it lacks"


def _check_columns(connection: Connection, path: Path) -> None:
    stored = _columns(connection, connection.execute("SELECT current_database()").fetchall()[0][0])
    declared = [(table.name, column.name) for table in TABLES.values() for column in table.columns]
    missing = [".".join(column) for column in declared if column not in stored]
    if missing:
        connection.close()
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        what = f"was built by an older version, without {missing[0]}{more}"
        raise WarehouseError(f"{path} {what}: build it again with `righttree publish`")


def _columns(connection: Connection, database: str) -> set[tuple[str, str]]:
    """Table and name of every column of an attached database."""
    query = "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = ?"
    return {(table, column) for table, column in connection.execute(query, [database]).fetchall()}


@contextmanager
def building(data: Path, without: Sequence[str] = ()) -> Iterator[Connection]:
    """A writable connection to a new build with all tables and the published rows; published on success.

    `without` names runs whose published rows are left out. One build at a time per data folder: others wait. If the
    body raises, the published build stays as it was. Raises WarehouseError if the folder cannot be written or the disk
    is full.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        with (data / ".publish.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in [*data.glob(".warehouse-*.draft*"), *data.glob(f"{files.TEMPORARY}*-{LINK}")]:
                files.remove(leftover)  # of a killed build: nobody else builds while this process holds the lock
            _make_room(data)
            target = data / _name_after(newest_build(data))
            draft = target.with_name(f".{target.name}.draft")
            with _written(draft) as connection:
                _create_from_published(connection, data, without)
                yield connection
            draft.rename(target)
            with files.replacing(data / LINK) as link:
                link.symlink_to(target.name)
            for build in _other_builds(data)[:-1]:  # one stays: a reader may have just resolved the link
                build.unlink(missing_ok=True)
    except (OSError, duckdb.OperationalError, duckdb.FatalException) as error:
        reason = error.strerror if isinstance(error, OSError) else first_line(error)
        message = f"{data} cannot be written ({reason}), so the published warehouse stays"
        raise WarehouseError(f"{message}; make room or set RIGHTTREE_HOME") from error


def _other_builds(data: Path) -> list[Path]:
    """The builds beside the published one, by time."""
    published = build_id(data)
    return sorted(build for build in data.glob("warehouse-*.duckdb") if build.name != published)


def _make_room(data: Path) -> None:
    """Remove the builds before the published one where another does not fit beside them.

    Otherwise no run could be deleted from a full disk. They would be removed after the next build in any case. Where
    the published one is damaged they stay, to go back to. They are emptied first, as a server that has shown one holds
    it open: whoever still reads it gets an error, and the published one on the next load.
    """
    published = build_id(data)
    others = _other_builds(data)
    if published is None or not others:
        return
    with suppress(FileNotFoundError):  # a link to nothing is refused later, with what to do
        if shutil.disk_usage(data).free < (data / published).stat().st_size and _is_whole(data):
            for build in others:
                os.truncate(build, 0)
                build.unlink()


def _is_whole(data: Path) -> bool:
    """Whether every row of the published build can be read: DuckDB checks the sum of each block that it reads."""
    try:
        with open_read_only(data) as connection:
            for table in TABLES:
                connection.execute(f'SELECT max(hash(rows)) FROM "{table}" AS rows')
    except (WarehouseError, duckdb.Error):
        return False
    return True


def _name_after(newest: str | None) -> str:
    """The name of a new build: its time, and letters by chance.

    In the order of names it is the last, also if the clock was set back since the newest one, or their second is the
    same.
    """
    moment = datetime.now(UTC)
    if newest is not None:
        with suppress(ValueError, OverflowError):  # not a name of ours
            stamp = datetime.fromisoformat(newest.split("-")[1]).replace(tzinfo=UTC)
            moment = max(moment, stamp + timedelta(microseconds=1))
    return f"warehouse-{moment:%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex[:8]}.duckdb"


@contextmanager
def _written(draft: Path) -> Iterator[Connection]:
    """A new database file: complete on the disk at the end, or removed."""
    memory_bytes = min(_MOST_MEMORY_BYTES, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    allowed_bytes, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if allowed_bytes != resource.RLIM_INFINITY:  # of which the rows to write have their share
        memory_bytes = min(memory_bytes, allowed_bytes // 4)
    limit = f"{memory_bytes // 2**20}MiB"  # what DuckDB needs beyond that, it writes beside the draft
    config: dict[str, Any] = {"storage_compatibility_version": "v1.5.0", "memory_limit": limit}
    try:
        with duckdb.connect(str(draft), config=config) as connection:
            yield connection
            connection.execute("CHECKPOINT")  # closing does so too, but says nothing about a full disk
        files.sync_path(draft)
    except BaseException:
        for leftover in draft.parent.glob(f"{draft.name}*"):
            files.remove(leftover)
        raise


def _create_from_published(connection: Connection, data: Path, without: Sequence[str]) -> None:
    for table in TABLES.values():
        connection.execute(table.ddl)
    published = build_id(data)
    if published is None:
        return
    path = str(data / published).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{path}' AS published (READ_ONLY)")
        stored = _columns(connection, "published")
        for table in TABLES.values():  # what an older build lacks is null, or the build is refused
            shared = [f'"{column.name}"' for column in table.columns if (table.name, column.name) in stored]
            if shared:
                target, names = f'main."{table.name}"', ", ".join(shared)
                query = f"INSERT INTO {target} ({names}) SELECT {names} FROM published.{target}"
                connection.execute(f"{query} WHERE NOT list_contains(?, run_id)", [list(without)])
        connection.execute("DETACH published")
    except duckdb.Error as error:
        what = f"the published {data / published} cannot be carried over ({first_line(error)})"
        raise WarehouseError(f"{what}: {_remedy(data / published)}") from error
