"""Training while it goes on: one figure against the steps taken, one line a policy; the newest is the boldest."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.layers import layered

HEIGHT = 180


def live(points: pl.DataFrame, title: str) -> alt.LayerChart:
    """`points`: columns `model, newest, step, value`, of one metric whose name with its unit is `title`."""
    base = alt.Chart(points).encode(
        x=alt.X("step:Q", title="Steps", axis=alt.Axis(tickCount=5, format="d", tickMinStep=1, grid=False)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4)),
        detail=alt.Detail("model:N"),
        opacity=alt.Opacity("newest:N", scale=alt.Scale(domain=[False, True], range=[0.35, 1.0]), legend=None),
        tooltip=[
            alt.Tooltip("model:N", title="Policy"),
            alt.Tooltip("step:Q", title="Steps"),
            alt.Tooltip("value:Q", title=title, format=".3f"),
        ],
    )
    return layered([base.mark_line(strokeWidth=2), base.mark_circle(size=30)], height=HEIGHT, padding={"bottom": 4})
