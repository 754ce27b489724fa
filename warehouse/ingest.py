"""Rows into the warehouse: checked against `schema.py` in a draft, then published all together or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from warehouse import store
from warehouse.errors import InvalidRows, first_line
from warehouse.schema import TABLES, Table
from warehouse.store import Connection

Rows = Mapping[str, pl.DataFrame | Iterable[pl.DataFrame]]
"""Rows of tables by name, each table as one frame or as frames one after the other; table `run` is one frame."""

Then = Callable[[Connection], object]
"""What is done with a new build, all of whose rows are in and checked, before it is published; if it raises, it is not.
"""

_BATCH_ROWS = 1_000_000


def conform(table: Table, frame: pl.DataFrame, origin: str) -> pl.DataFrame:
    """The frame with the table's columns in the table's order and types; a column that may be null may be missing.

    Raises InvalidRows, naming `origin` (a file or run), the column and the first bad row, for missing or unknown
    columns, a type that does not convert, nulls, NaN or infinities, and values outside `allowed`.
    """
    where = f"{origin}: table {table.name}"
    expected = [column.name for column in table.columns]
    missing = [column.name for column in table.columns if column.name not in frame.columns and not column.nullable]
    unknown = [name for name in frame.columns if name not in expected]
    if missing or unknown:
        raise InvalidRows(f"{where}: missing columns {missing}, unknown columns {unknown}; it has to have {expected}")
    absent = [
        pl.lit(None, dtype=column.dtype).alias(column.name) for column in table.columns if column.name not in frame
    ]
    try:
        frame = frame.with_columns(absent).select(pl.col(column.name).cast(column.dtype) for column in table.columns)
    except pl.exceptions.PolarsError as error:
        raise InvalidRows(f"{where}: {first_line(error)}") from error
    for column in table.columns:
        values = pl.col(column.name)
        bad = values.is_null() & (not column.nullable)
        if column.dtype.is_float():
            bad |= ~values.is_finite().fill_null(True)
        if column.allowed:
            bad |= ~values.is_in(column.allowed).fill_null(True)
        broken = frame.with_row_index("row").filter(bad)
        if broken.height:
            got, row = broken[column.name][0], broken["row"][0]
            expectation = f"one of {list(column.allowed)}" if column.allowed else f"a finite {column.dtype}"
            raise InvalidRows(f"{where}, column {column.name}, row {row}: got {got!r}, wanted {expectation}")
    return frame


def repeated(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The rows whose keys occur more than once, in their order."""
    of_keys = frame.select(keys)
    if of_keys.hash_rows().n_unique() == frame.height:  # ten times faster than comparing millions of keys
        return frame.clear()
    return frame.filter(of_keys.is_duplicated())


def publish(data: Path, rows: Rows, origin: str, *, then: Then = lambda _: None) -> dict[str, int]:
    """Check the rows of one or more runs and publish a new build with them and all other runs.

    Existing rows of the same runs are replaced, so publishing twice changes nothing. A table may come as frames one
    after the other; then a million rows, and what DuckDB is allowed, are in memory at once.

    Returns the number of rows written per table. Raises InvalidRows at the first thing that is wrong; then the
    published build stays as it is.
    """
    unknown = sorted(set(rows) - set(TABLES))
    if unknown:
        raise InvalidRows(f"{origin}: unknown tables {unknown}; there are {list(TABLES)}")
    run = rows.get("run")
    if not isinstance(run, pl.DataFrame) or run.is_empty():
        raise InvalidRows(f"{origin}: table run is empty; it has to have a row for each run")
    run_ids = conform(TABLES["run"], run, origin)["run_id"].unique().to_list()
    with store.building(data, without=run_ids) as connection:
        written = insert(connection, rows, run_ids, origin)
        then(connection)
    return written


def remove(data: Path, run_id: str) -> None:
    """Publish a new build without the rows of a run, with those of all other runs."""
    with store.building(data, without=[run_id]):
        pass


def replace_table(
    data: Path, run_id: str, table: str, rows: pl.DataFrame, origin: str, *, then: Then = lambda _: None
) -> int:
    """Publish a new build in which one table of a published run has these rows; returns how many.

    Raises InvalidRows as `publish` does; then the published build stays as it is.
    """
    with store.building(data) as connection:
        connection.execute(f'DELETE FROM "{TABLES[table].name}" WHERE run_id = ?', [run_id])
        written = insert(connection, {table: rows.with_columns(run_id=pl.lit(run_id))}, [run_id], origin)
        then(connection)
    return written[table]


def derive(
    data: Path,
    run_id: str,
    run: pl.DataFrame,
    more: Rows,
    *,
    without_values: Sequence[str] = (),
    without_policies: Sequence[str] = (),
    then: Then = lambda _: None,
) -> None:
    """Publish a new run: the rows of a published one and `more`; `run` is its row of table `run`.

    Left out are the values of some policies, and policies, by their ids, unless they have responses. Raises InvalidRows
    as `publish` does; then the published build stays as it is.
    """
    origin = f"a run from {run_id}"
    (new_id,) = conform(TABLES["run"], run, origin)["run_id"]
    with store.building(data, without=[new_id]) as connection:
        for name in [name for name in TABLES if name != "run"]:
            connection.execute(
                f'INSERT INTO "{name}" SELECT * REPLACE (? AS run_id) FROM "{name}" WHERE run_id = ?', [new_id, run_id]
            )
        of_these = "WHERE run_id = $run AND list_contains($policies, policy_id)"
        chosen: dict[str, object] = {"run": new_id, "policies": list(without_values)}
        connection.execute(f"DELETE FROM policy_value {of_these}", chosen)
        silent = "policy_id NOT IN (SELECT policy_id FROM response WHERE run_id = $run)"
        chosen["policies"] = list(without_policies)
        connection.execute(f"DELETE FROM policy {of_these} AND {silent}", chosen)
        insert(connection, {"run": run, **more}, [new_id], origin)
        then(connection)


def insert(connection: Connection, rows: Rows, run_ids: Sequence[str], origin: str) -> dict[str, int]:
    """Put the rows of these runs into tables that have none of them yet, and check them there.

    Types and values are checked as rows come, keys and references at the end. Returns the number of rows per table.
    Raises InvalidRows at the first thing that is wrong; then some rows are in.
    """
    written = dict.fromkeys(TABLES, 0)
    for name, table in TABLES.items():
        given = rows.get(name, ())
        for batch in _batches([given] if isinstance(given, pl.DataFrame) else given):
            frame = conform(table, batch, origin)
            unknown = frame.filter(~pl.col("run_id").is_in(run_ids))["run_id"]
            if len(unknown):
                raise InvalidRows(f"{origin}: table {name}: run {unknown[0]!r} is not in table run")
            connection.register("incoming", frame.to_arrow())
            connection.execute(f'INSERT INTO "{name}" SELECT * FROM incoming')
            connection.unregister("incoming")
            written[name] += frame.height
    for name, table in TABLES.items():
        if written[name]:
            _check_keys(connection, table, run_ids, origin)
            _check_references(connection, table, run_ids, origin)
    return written


def _batches(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in frames of at least a million: a run's parts may be many and small."""
    gathered: list[pl.DataFrame] = []
    for frame in frames:
        gathered.append(frame)
        if sum(part.height for part in gathered) >= _BATCH_ROWS:
            yield pl.concat(gathered)
            gathered = []
    if gathered:
        yield pl.concat(gathered)


def _check_keys(connection: Connection, table: Table, run_ids: Sequence[str], origin: str) -> None:
    keys = ", ".join(f'"{name}"' for name in table.keys)
    of_runs = f'FROM "{table.name}" WHERE run_id IN (SELECT unnest(?))'
    (repeats,) = connection.execute(f"SELECT count(*) > count(DISTINCT hash({keys})) {of_runs}", [run_ids]).fetchall()[
        0
    ]
    if not repeats:  # hashes take a fraction of the memory that millions of keys do
        return
    query = f"SELECT {keys} {of_runs} GROUP BY ALL HAVING count(*) > 1 LIMIT 1"
    if key := connection.execute(query, [run_ids]).fetchone():
        named = dict(zip(table.keys, key, strict=True))
        raise InvalidRows(f"{origin}: table {table.name}: {named} is there twice by {table.keys}")


def _check_references(connection: Connection, table: Table, run_ids: Sequence[str], origin: str) -> None:
    for column in table.columns:
        if not column.references:
            continue
        target, key = column.references, f"{column.references}_id"
        orphan = connection.execute(
            f"""
            WITH pointing AS (
                SELECT DISTINCT run_id, "{column.name}" FROM "{table.name}"
                WHERE run_id IN (SELECT unnest(?)) AND "{column.name}" IS NOT NULL
            )
            SELECT "{column.name}" FROM pointing WHERE NOT EXISTS (
                FROM "{target}" AS target
                WHERE target.run_id = pointing.run_id AND target.{key} = pointing."{column.name}"
            ) LIMIT 1
            """,
            [run_ids],
        ).fetchone()
        if orphan:
            where = f"{origin}: table {table.name}: {column.name}"
            raise InvalidRows(f"{where} {orphan[0]!r} is not in {target}.{key}")
