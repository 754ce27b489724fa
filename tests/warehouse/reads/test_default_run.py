"""The run that is shown and measured where none is named."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.helpers import simulated
from warehouse import labels, reads, store

ROWS = [("smoke-9", "smoke"), ("quick-2", "quick"), ("quick-1", "quick"), ("recorded", "recorded")]
"""Run and profile, the newest first."""


@pytest.mark.parametrize(
    ("names", "pinned", "expected"),
    [
        ("smoke-9 quick-2 quick-1 recorded", None, "recorded"),
        ("smoke-9 quick-2 quick-1 recorded", "quick-1", "quick-1"),
        ("smoke-9 quick-2 quick-1 recorded", "smoke-9", "smoke-9"),
        ("smoke-9 quick-2 quick-1 recorded", "deleted", "recorded"),
        ("smoke-9 quick-2 quick-1", None, "quick-2"),
        ("smoke-9", None, "smoke-9"),
        ("", None, None),
    ],
)
def test_the_default_is_the_pinned_run_then_the_recorded_one_and_no_smoke_run(
    names: str, pinned: str | None, expected: str | None
) -> None:
    rows = [row for row in ROWS if row[0] in names.split()]
    runs = pl.DataFrame(rows, schema={"run_id": pl.String, "profile": pl.String}, orient="row")
    assert reads.runs.default_of(runs, pinned) == expected


def test_a_warehouse_knows_what_is_pinned_in_its_folder(tmp_path: Path) -> None:
    for run_id in ("one", "two"):
        simulated.publish(tmp_path, run_id=run_id, P=4, Q=4, M=2)
    with store.open_read_only(tmp_path) as connection:
        assert reads.runs.default_run(connection) == "two"
        labels.pin(tmp_path, "one")
        assert reads.runs.default_run(connection) == "one"
        assert reads.runs.named_or_default(connection, None) == "one"
        assert reads.runs.named_or_default(connection, "two") == "two"
