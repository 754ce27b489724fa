"""One figure of each reward model with its interval, a row each."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.ink import INK, SOFT
from app.charts.layers import layered
from app.charts.models import colour, height, rows, trained_tooltips


def dots(
    figures: pl.DataFrame, names: list[str], title: str, *, reference: float | None = None, format_: str = ".2f"
) -> alt.LayerChart:
    """`figures`: columns `reward_model, kind, flip_rate, value, low, high`; a dashed line stands at `reference`.

    Undefined figures leave their row empty.
    """
    there = figures.drop_nulls("value")
    base = alt.Chart(there).encode(
        y=rows(names),
        color=colour(figures),
        tooltip=[
            *trained_tooltips(figures),
            alt.Tooltip("value:Q", title=title, format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
        ],
    )
    scale = alt.Scale(zero=False, padding=12)
    x = alt.X("value:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5, format=format_))
    layers: list[alt.Chart] = []
    if reference is not None:
        at = alt.Chart(alt.InlineData(values=[{"at": reference}])).encode(x=alt.X("at:Q"), color=alt.ColorValue(INK))
        layers.append(at.mark_rule(strokeDash=[5, 4], opacity=SOFT, aria=False))
    layers += [
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale), x2=alt.X2("high:Q")),
        base.mark_circle(size=90, opacity=1).encode(x=x),
    ]
    return layered(layers, height=height(names), padding={"bottom": 4})
