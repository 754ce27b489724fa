"""Overoptimisation curves: gain against the distance from the initial policy, with fits (Gao et al.)."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.ink import INK, SOFT
from app.charts.layers import layered

HEIGHT = 380


def gains(points: pl.DataFrame, lines: pl.DataFrame, x_title: str) -> alt.LayerChart:
    """`points`: columns `curve, strength, distance, gain, low, high`; `lines`, the fits: `curve, distance, gain`."""
    x = alt.X("distance:Q", title=x_title, axis=alt.Axis(tickCount=6, format=".1f"))
    y_axis = alt.Axis(tickCount=6, format=".1f")
    y = alt.Y("gain:Q", title="Gain over the initial policy (sd within prompts)", axis=y_axis)
    order = points["curve"].unique(maintain_order=True).to_list()
    legend = alt.Legend(title=None, orient="top", direction="vertical", labelLimit=320)
    colour = alt.Color("curve:N", sort=order, scale=alt.Scale(domain=order), legend=legend)
    shape = alt.Shape("curve:N", sort=order, scale=alt.Scale(domain=order), legend=legend)
    base = alt.Chart(points.drop_nulls("gain")).encode(
        x=x,
        color=colour,
        tooltip=[
            alt.Tooltip("curve:N", title="Curve"),
            alt.Tooltip("strength:Q", title="Strength"),
            alt.Tooltip("distance:Q", title="√KL", format=".2f"),
            alt.Tooltip("gain:Q", title="Gain", format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
        ],
    )
    zero = alt.Chart(alt.InlineData(values=[{"gain": 0}])).mark_rule(opacity=SOFT, aria=False)
    layers = [
        zero.encode(y=alt.Y("gain:Q"), color=alt.ColorValue(INK)),
        base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q")),
        base.mark_point(size=70, filled=True, opacity=1).encode(y=y, shape=shape),
    ]
    if not lines.is_empty():
        fit = alt.Chart(lines).mark_line(strokeWidth=2, strokeDash=[6, 3], opacity=0.8, aria=False)
        layers.insert(1, fit.encode(x=x, y=y, color=colour))
    return layered(layers, height=HEIGHT, padding={"bottom": 4})
