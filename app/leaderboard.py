"""The leaderboard of measures as tables: comparisons → Polars frame. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from app import wording
from app.state import Policies
from warehouse.claims.verdict import compared
from warehouse.measures import MEASURES, Comparison

Board = Mapping[str, Comparison]

_SCHEMA = {
    "measure": pl.String,
    "title": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
    "share_better": pl.Float64,
    "verdict": pl.String,
}


def rows(boards: Mapping[Policies, Board], correlation: str, level: str) -> pl.DataFrame:
    """A row per optimiser and measure, the best of the first optimiser first.

    Columns `policies` (`best-of-16`), `measure`, `title`; the correlation `value` from `low` to `high`; its
    `difference` from that of plain accuracy with the paired interval; `share_better`, the share of replicates in which
    it is the greater; `verdict`, how it compares with plain accuracy (`claims.verdict.compared`), or `plain accuracy`
    itself. Figures are null where undefined.
    """
    parts = [
        _rows(board, correlation, level).select(pl.lit(wording.called(policies)).alias("policies"), pl.all())
        for policies, board in boards.items()
    ]
    order = parts[0].sort("value", descending=True, nulls_last=True)["measure"]
    return pl.concat(parts).sort(pl.col("measure").cast(pl.Enum(order)), maintain_order=True)


def by_category(boards: Mapping[str, Board], correlation: str, level: str) -> pl.DataFrame:
    """The same with `category` and `prompts` in the place of `policies`, in the order of the catalogue."""
    parts = [
        _rows(board, correlation, level).select(
            pl.lit(category).alias("category"),
            pl.lit(next(iter(board.values())).first.prompts_used).alias("prompts"),
            pl.all(),
        )
        for category, board in boards.items()
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema={"category": pl.String, "prompts": pl.Int32, **_SCHEMA})


def defined(board: pl.DataFrame) -> pl.DataFrame:
    """The rows that have a correlation."""
    return board.drop_nulls("value")


def _rows(board: Board, correlation: str, level: str) -> pl.DataFrame:
    found = []
    for name, comparison in board.items():
        own = wording.correlations(comparison.first, level)[correlation]
        difference = (comparison.within if level == "within" else comparison.correlations)[correlation]
        plain = comparison.first.measure == comparison.second.measure
        found.append(
            {
                "measure": name,
                "title": MEASURES[name].title,
                "value": own.value,
                "low": own.low,
                "high": own.high,
                "difference": None if plain else difference.value,
                "difference_low": None if plain else difference.low,
                "difference_high": None if plain else difference.high,
                "share_better": None if plain or level == "within" else comparison.share_better[correlation],
                "verdict": "plain accuracy" if plain else compared(difference),
            }
        )
    return pl.DataFrame(found, schema=_SCHEMA)
