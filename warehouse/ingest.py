"""Rows into the warehouse: checked against `schema.py` first, then written all together or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from warehouse import store
from warehouse.errors import InvalidRows
from warehouse.schema import TABLES, Table

Rows = Mapping[str, pl.DataFrame]


def conform(table: Table, frame: pl.DataFrame, origin: str) -> pl.DataFrame:
    """The frame with the table's columns in the table's order and types.

    Raises InvalidRows, naming `origin` (a file or run), the column and the first bad row, for missing or unknown
    columns, a type that does not convert, nulls, NaN or infinities, and values outside `allowed`.
    """
    where = f"{origin}: table {table.name}"
    expected = [column.name for column in table.columns]
    missing = [name for name in expected if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in expected]
    if missing or unknown:
        raise InvalidRows(f"{where}: missing columns {missing}, unknown columns {unknown}; it has to have {expected}")
    try:
        frame = frame.select(pl.col(column.name).cast(column.dtype) for column in table.columns)
    except pl.exceptions.PolarsError as error:
        raise InvalidRows(f"{where}: {str(error).splitlines()[0]}") from error
    for column in table.columns:
        bad = pl.lit(False)
        values = pl.col(column.name)
        if not column.nullable:
            bad = bad | values.is_null()
        if column.dtype.is_float():
            bad = bad | ~values.is_finite().fill_null(True)
        if column.allowed:
            bad = bad | ~values.is_in(column.allowed).fill_null(True)
        broken = frame.with_row_index("row").filter(bad)
        if broken.height:
            got, row = broken[column.name][0], broken["row"][0]
            wanted = f"one of {list(column.allowed)}" if column.allowed else f"a finite {column.dtype}"
            raise InvalidRows(f"{where}, column {column.name}, row {row}: got {got!r}, wanted {wanted}")
    return frame


def validate(rows: Rows, origin: str) -> dict[str, pl.DataFrame]:
    """All tables conformed, keys unique, references met; tables that are left out come back empty.

    Raises InvalidRows at the first thing that is wrong.
    """
    unknown = sorted(set(rows) - set(TABLES))
    if unknown:
        raise InvalidRows(f"{origin}: unknown tables {unknown}; there are {list(TABLES)}")
    frames = {
        name: conform(table, rows.get(name, pl.DataFrame(schema=table.polars_schema)), origin)
        for name, table in TABLES.items()
    }
    for name, table in TABLES.items():
        frame = frames[name]
        twice = repeated(frame, table.keys)
        if twice.height:
            raise InvalidRows(f"{origin}: table {name}: {twice.row(0, named=True)} is there twice by {table.keys}")
        for column, (target, target_column) in table.references.items():
            orphans = frame.filter(pl.col(column).is_not_null()).join(
                frames[target], left_on=["run_id", column], right_on=["run_id", target_column], how="anti"
            )
            if orphans.height:
                raise InvalidRows(
                    f"{origin}: table {name}: {column} {orphans[column][0]!r} is not in {target}.{target_column}"
                )
    return frames


def repeated(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The rows whose keys are there more than once, in their order."""
    found = frame.select(keys)
    if found.hash_rows().n_unique() == frame.height:  # ten times sooner than to compare millions of keys
        return frame.clear()
    return frame.filter(found.is_duplicated())


def publish(data: Path, rows: Rows, origin: str) -> dict[str, int]:
    """Check the rows of one or more runs and publish a new build that holds them beside all other runs.

    Rows of the same runs that are there already are replaced, so publishing twice changes nothing.

    Returns the number of rows written per table. Raises InvalidRows before anything is written.
    """
    frames = validate(rows, origin)
    run_ids = frames["run"]["run_id"].unique().to_list()
    if not run_ids:
        raise InvalidRows(f"{origin}: table run is empty; it has to have a row for each run")
    for name, frame in frames.items():
        stray = frame.filter(~pl.col("run_id").is_in(run_ids))
        if stray.height:
            raise InvalidRows(f"{origin}: table {name}: run {stray['run_id'][0]!r} is not in table run")
    with store.building(data) as connection:
        for name, frame in frames.items():
            connection.execute(f'DELETE FROM "{name}" WHERE run_id IN (SELECT unnest(?))', [run_ids])
            connection.register("incoming", frame.to_arrow())
            connection.execute(f'INSERT INTO "{name}" SELECT * FROM incoming')
            connection.unregister("incoming")
    return {name: frame.height for name, frame in frames.items()}


def remove(data: Path, run_id: str) -> None:
    """Publish a new build without the rows of a run, beside all other runs."""
    with store.building(data) as connection:
        for name in TABLES:
            connection.execute(f'DELETE FROM "{name}" WHERE run_id = ?', [run_id])
