"""Two figures against each other where there are more points than can be told apart: their number in each cell."""

from __future__ import annotations

import altair as alt
import polars as pl

MANY = 1500
"""More points than this are drawn as a density."""

_BINS = 40


def density(frame: pl.DataFrame, x: str, y: str, x_title: str, y_title: str, unit: str) -> alt.Chart:
    """Counts of rows in cells of columns `x` and `y`; `unit` is what a row is, in the plural."""
    return (
        alt.Chart(frame.select(x, y))
        .mark_rect()
        .encode(
            x=alt.X(f"{x}:Q", bin=alt.Bin(maxbins=_BINS), title=x_title),
            y=alt.Y(f"{y}:Q", bin=alt.Bin(maxbins=_BINS), title=y_title),
            color=alt.Color(
                "count():Q",
                scale=alt.Scale(range="heatmap", type="sqrt"),
                legend=alt.Legend(title=unit, orient="top", gradientLength=160, gradientThickness=8),
            ),
            tooltip=[alt.Tooltip("count():Q", title=unit)],
        )
    )
