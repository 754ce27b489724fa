"""One schema: what is rendered from it works, and agrees with the documentation."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from warehouse.schema import TABLES, Table, render_reference

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_ddl_and_polars_schema_name_the_same_columns_and_types(table: Table) -> None:
    connection = duckdb.connect()
    connection.execute(table.ddl)
    empty = connection.execute(f'SELECT * FROM "{table.name}"').pl()
    assert empty.schema == table.polars_schema
    nullable = {name: null == "YES" for name, _, null, *_ in connection.execute(f'DESCRIBE "{table.name}"').fetchall()}
    assert nullable == {column.name: column.nullable for column in table.columns}


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_keys_begin_with_the_run_and_references_exist(table: Table) -> None:
    assert table.keys[0] == "run_id"
    columns = {column.name for column in table.columns}
    references = {column.name: column.references for column in table.columns if column.references}
    for column, (target, target_column) in {name: (to, f"{to}_id") for name, to in references.items()}.items():
        assert column in columns
        assert target_column in TABLES[target].keys


def test_the_table_reference_is_up_to_date() -> None:
    assert (ROOT / "docs" / "tables.md").read_text() == render_reference(), "run `make docs`"
