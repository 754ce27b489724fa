"""`access.warehouse.cached`: one cache for each query, build and argument."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from app.access import warehouse
from app.access.warehouse import Snapshot, cached
from warehouse import store


def test_queries_made_by_one_helper_keep_their_answers_apart_and_are_asked_once(simulated_home: Path) -> None:
    asked = []

    def prompts(connection: duckdb.DuckDBPyConnection, run_id: str) -> pl.DataFrame:
        asked.append(run_id)
        return connection.execute("SELECT * FROM prompt WHERE run_id = ?", [run_id]).pl()

    def policies(connection: duckdb.DuckDBPyConnection, run_id: str) -> pl.DataFrame:
        return connection.execute("SELECT * FROM policy WHERE run_id = ?", [run_id]).pl()

    build = store.build_id(simulated_home)
    assert build is not None
    snapshot = Snapshot(str(simulated_home), build)
    read_prompts, read_policies = cached(prompts), cached(policies)
    first = read_prompts(snapshot, "simulated")
    assert first.height > 0
    assert read_prompts(snapshot, "simulated") is first
    assert "policy_id" in read_policies(snapshot, "simulated").columns
    assert read_prompts(snapshot, "no such run").is_empty()
    assert asked == ["simulated", "no such run"]
    assert warehouse.runs(snapshot)["run_id"].to_list() == ["simulated"]
