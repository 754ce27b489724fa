"""The Goodhart check: the slope of golden on proxy gain against accuracy, and what accuracy alone predicts."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.ink import INK, SOFT
from app.charts.layers import layered

HEIGHT = 380


def goodhart(pairs: pl.DataFrame, bins: pl.DataFrame, line: pl.DataFrame) -> alt.LayerChart:
    """`pairs`: `golden, proxy, accuracy, slope`; `bins`: `accuracy, slope, low, high, pairs`; `line`: the curve."""
    x = alt.X(
        "accuracy:Q",
        title="Accuracy",
        scale=alt.Scale(zero=False, padding=10),
        axis=alt.Axis(tickCount=6, format=".2f"),
    )
    y = alt.Y("slope:Q", title="Golden gain per proxy gain (standardised)", axis=alt.Axis(tickCount=6, format=".1f"))
    points = (
        alt.Chart(pairs)
        .mark_circle(size=40, opacity=0.45)
        .encode(
            x=x,
            y=y,
            tooltip=[
                alt.Tooltip("golden:N", title="Golden"),
                alt.Tooltip("proxy:N", title="Proxy"),
                alt.Tooltip("accuracy:Q", title="Accuracy", format=".3f"),
                alt.Tooltip("slope:Q", title="Slope", format=".3f"),
                alt.Tooltip("predicted:Q", title="Predicted by accuracy", format=".3f"),
            ],
        )
    )
    curve = alt.Chart(line).mark_line(strokeWidth=1.5, strokeDash=[5, 4], opacity=SOFT, aria=False)
    means = alt.Chart(bins).encode(
        x=x,
        tooltip=[
            alt.Tooltip("accuracy:Q", title="Mean accuracy", format=".3f"),
            alt.Tooltip("slope:Q", title="Mean slope", format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
            alt.Tooltip("predicted:Q", title="Predicted by accuracy", format=".3f"),
            alt.Tooltip("pairs:Q", title="Pairs"),
        ],
    )
    return layered(
        [
            curve.encode(x=x, y=y, color=alt.ColorValue(INK)),
            points,
            means.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), color=alt.ColorValue(INK)),
            means.mark_point(shape="diamond", size=120, filled=True, opacity=1).encode(y=y, color=alt.ColorValue(INK)),
        ],
        height=HEIGHT,
        padding={"bottom": 4},
    )
