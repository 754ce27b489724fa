"""Measures down, a figure of each across, as a dot with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from app.charts.pairs import panel_title
from app.charts.style import INK, SOFT, layered

_ROW = 26
_PANEL_ROW = 20
_CLEAR = "datum.verdict == 'better' || datum.verdict == 'worse'"


def leaderboard(board: pl.DataFrame, order: Sequence[str], column: str, x_title: str) -> alt.LayerChart:
    """`column` is `value` or `difference`, with its interval `low`–`high` or `difference_low`–`difference_high`.

    `board`: as `leaderboard.rows` gives it; several optimisers stand one below the other in a measure's row. `order`
    are the titles from the top.
    """
    several = board["policies"].n_unique() > 1
    base = alt.Chart(board.drop_nulls(column)).encode(
        y=_rows(order),
        yOffset=alt.YOffset("policies:N", sort=None) if several else alt.Undefined,
        color=alt.Color("policies:N", sort=None, legend=alt.Legend(title=None, orient="top") if several else None),
    )
    first = [alt.Tooltip("policies:N", title="Policies")]
    return _dots(base, column, x_title, first, height=(_ROW + 8 * several) * len(order))


def where(rows: pl.DataFrame, order: Sequence[str], captions: Mapping[str, str], x_title: str) -> list[alt.LayerChart]:
    """The differences of each category, a panel each; those that are neither better nor worse are pale."""
    bounds = rows.select(pl.col("difference_low").min(), pl.col("difference_high").max()).row(0)
    domain = [min(0.0, bounds[0]), max(0.0, bounds[1])] if None not in bounds else alt.Undefined
    charts = []
    for name, caption in captions.items():
        base = alt.Chart(rows.filter(pl.col("category") == name).drop_nulls("difference")).encode(
            y=_rows(order),
            opacity=alt.OpacityValue(0.4, condition={"test": _CLEAR, "value": 1}),
        )
        first = [alt.Tooltip("category:N", title="Category")]
        frame = {"title": panel_title(name, caption), "height": _PANEL_ROW * len(order)}
        charts.append(_dots(base, "difference", x_title, first, domain, **frame))
    return charts


def _rows(order: Sequence[str]) -> alt.Y:
    """A row for every measure, those without a figure too: so the rows of charts side by side are the same."""
    axis = alt.Axis(labelLimit=150, labelPadding=6, labelOverlap=False, labelFlush=False)
    return alt.Y("title:N", scale=alt.Scale(domain=list(order)), title=None, axis=axis)


def _dots(
    base: alt.Chart, column: str, x_title: str, first: list[alt.Tooltip], domain: Any = alt.Undefined, **frame: Any
) -> alt.LayerChart:
    """`frame`: the chart's height and title, given at once, as Altair copies a chart for what is added later."""
    low, high = ("low", "high") if column == "value" else (f"{column}_low", f"{column}_high")
    scale = alt.Scale(zero=column != "value", padding=8, domain=domain)
    x = alt.X(f"{column}:Q", title=x_title, scale=scale, axis=alt.Axis(tickCount=5, format=".1f"))
    told = base.encode(
        tooltip=[
            alt.Tooltip("title:N", title="Measure"),
            *first,
            alt.Tooltip(f"{column}:Q", title=x_title, format=".3f"),
            alt.Tooltip(f"{low}:Q", title="95% from", format=".3f"),
            alt.Tooltip(f"{high}:Q", title="to", format=".3f"),
            alt.Tooltip("verdict:N", title="Against plain accuracy"),
        ]
    )
    at = alt.Chart(alt.InlineData(values=[{"at": 0}])).encode(x=alt.X("at:Q"), color=alt.ColorValue(INK))
    layers = [
        told.mark_bar(height=2).encode(x=alt.X(f"{low}:Q", scale=scale, title=x_title), x2=alt.X2(f"{high}:Q")),
        told.mark_circle(size=80, opacity=1).encode(x=x),
    ]
    if column != "value":
        layers.insert(0, at.mark_rule(strokeDash=[5, 4], opacity=SOFT, aria=False))
    return layered(layers, padding={"bottom": 4}, **frame)
