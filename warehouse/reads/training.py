"""What can be asked about how models were trained: their curves, and the pairs that they learnt from."""

from __future__ import annotations

import duckdb
import polars as pl


def training_curves(connection: duckdb.DuckDBPyConnection, run_id: str) -> pl.DataFrame:
    """Figures recorded while a run's reward models were trained: `model_id, metric, step, value`, by all three."""
    return connection.execute(
        """
        SELECT model_id, metric, step, value FROM training_curve
        WHERE run_id = ? AND model_id IN (SELECT reward_model_id FROM reward_model WHERE run_id = ?)
        ORDER BY model_id, metric, step
        """,
        [run_id, run_id],
    ).pl()


def validation_pairs(connection: duckdb.DuckDBPyConnection, run_id: str) -> int:
    """How many validation pairs a run has; 0 where its preferences were not kept."""
    row = connection.execute(
        "SELECT count(*) FROM preference WHERE run_id = ? AND split = 'validation'", [run_id]
    ).fetchone()
    return int(row[0]) if row else 0


def flipped_pairs(connection: duckdb.DuckDBPyConnection, run_id: str) -> pl.DataFrame:
    """How many training pairs of each reward model were flipped: `reward_model_id, flipped, pairs`, by id."""
    return connection.execute(
        """
        SELECT reward_model_id, count(*) FILTER (flipped) AS flipped, count(*) AS pairs FROM label
        WHERE run_id = ? GROUP BY reward_model_id ORDER BY reward_model_id
        """,
        [run_id],
    ).pl()
