"""The reliability diagram: how sure a reward model is against how often it is right."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.ink import INK, SOFT
from app.charts.layers import layered

HEIGHT = 300


def reliability(bins: pl.DataFrame) -> alt.LayerChart:
    """`bins`: columns `confidence, right, low, high, pairs`. On the dashed line confidence is what it should be."""
    x = alt.X(
        "confidence:Q",
        title="Confidence σ|b_i − b_j|, mean of the bin",
        scale=alt.Scale(domain=[0.5, 1.0]),
        axis=alt.Axis(format=".0%", tickCount=6),
    )
    y = alt.Y(
        "right:Q",
        title="Share ordered right",
        scale=alt.Scale(domain=[0.0, 1.0]),
        axis=alt.Axis(format=".0%", tickCount=6),
    )
    line = alt.InlineData(values=[{"confidence": 0.5, "right": 0.5}, {"confidence": 1.0, "right": 1.0}])
    ideal = alt.Chart(line).mark_line(strokeDash=[5, 4], strokeWidth=1.5, opacity=SOFT, aria=False)
    base = alt.Chart(bins).encode(
        x=x,
        tooltip=[
            alt.Tooltip("confidence:Q", title="Mean confidence", format=".1%"),
            alt.Tooltip("right:Q", title="Ordered right", format=".1%"),
            alt.Tooltip("low:Q", title="95% from", format=".1%"),
            alt.Tooltip("high:Q", title="to", format=".1%"),
            alt.Tooltip("pairs:Q", title="Golden-ordered pairs", format=","),
        ],
    )
    return layered(
        [
            ideal.encode(x=x, y=y, color=alt.ColorValue(INK)),
            base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), color=alt.ColorValue(INK)),
            base.mark_line(strokeWidth=1.5, opacity=0.6).encode(y=y),
            base.mark_circle(size=90, opacity=1).encode(y=y),
        ],
        height=HEIGHT,
        padding={"bottom": 4},
    )
