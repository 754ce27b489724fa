"""A run's correlations with their intervals, the paper's beside them."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.ink import INK
from app.charts.layers import layered

HEIGHT = 260


def beside(correlations: pl.DataFrame) -> alt.LayerChart:
    """`correlations`: columns `optimizer, correlation, ours, low, high, paper`, null where there is none.

    This run's are dots with their interval, the paper's hollow diamonds.
    """
    frame = correlations.with_columns(row=pl.concat_str("optimizer", "correlation", separator=", "))
    order = frame["row"].to_list()
    scale = alt.Scale(domain=[-1, 1])
    y = alt.Y("row:N", sort=order, title=None, axis=alt.Axis(labelLimit=200, labelPadding=6))
    base = alt.Chart(frame).encode(
        y=y,
        tooltip=[
            alt.Tooltip("row:N", title="Correlation of accuracy with NDR"),
            alt.Tooltip("ours:Q", title="This run", format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
            alt.Tooltip("paper:Q", title="The paper", format=".3f"),
        ],
    )
    x = alt.X("ours:Q", title="Correlation of accuracy with NDR", scale=scale, axis=alt.Axis(tickCount=5, format=".1f"))
    ours = alt.Color("whose:N", legend=alt.Legend(title=None, orient="top"), scale=alt.Scale(domain=["this run"]))
    there = base.transform_filter("isValid(datum.ours)").transform_calculate(whose="'this run'")
    return layered(
        [
            there.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", scale=scale), x2=alt.X2("high:Q"), color=ours),
            there.mark_circle(size=110, opacity=1).encode(x=x, color=ours),
            base.mark_point(shape="diamond", size=90, strokeWidth=1.5, filled=False, opacity=1).encode(
                x=alt.X("paper:Q", scale=scale), color=alt.ColorValue(INK)
            ),
        ],
        height=HEIGHT,
        padding={"bottom": 4},
    )
