"""Two runs beside each other: a correlation with its interval, and the time of each stage."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from app.charts.ink import INK, SOFT
from app.charts.layers import layered

_FRAME = 90
"""Height of legend and axis, which Streamlit takes from a chart's own."""


def correlations(headlines: pl.DataFrame, runs: Sequence[str], title: str) -> alt.LayerChart:
    """A dot with its interval for each run and optimizer. `headlines`: columns `run_id, policies, value, low, high`.

    Undefined figures leave their row empty; a dashed line stands at 0.
    """
    frame = headlines.with_columns(row=pl.concat_str("policies", "run_id", separator=", "))
    order = frame["row"].to_list()
    base = alt.Chart(frame.drop_nulls("value")).encode(
        y=alt.Y(
            "row:N",
            sort=order,
            scale=alt.Scale(domain=order),
            title=None,
            axis=alt.Axis(labelLimit=320, labelPadding=6),
        ),
        color=_run(runs),
        tooltip=[
            alt.Tooltip("run_id:N", title="Run"),
            alt.Tooltip("policies:N", title="Policies"),
            alt.Tooltip("value:Q", title=title, format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
        ],
    )
    scale = alt.Scale(domain=[-1, 1])
    zero = alt.Chart(alt.InlineData(values=[{"at": 0}])).encode(x=alt.X("at:Q"), color=alt.ColorValue(INK))
    x = alt.X("value:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5, format=".1f"))
    return layered(
        [
            zero.mark_rule(strokeDash=[5, 4], opacity=SOFT, aria=False),
            base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", scale=scale), x2=alt.X2("high:Q")),
            base.mark_circle(size=110, opacity=1).encode(x=x),
        ],
        height=_FRAME + 32 * max(2, len(order)),
        padding={"bottom": 4},
    )


def times(stages: pl.DataFrame, runs: Sequence[str]) -> alt.LayerChart:
    """A bar a run for each stage. `stages`: columns `run_id, title, wall_s, label`."""
    order = stages["title"].unique(maintain_order=True).to_list()
    base = alt.Chart(stages).encode(
        y=alt.Y("title:N", sort=order, title=None, axis=alt.Axis(labelLimit=200, labelPadding=6)),
        yOffset=alt.YOffset("run_id:N", sort=list(runs)),
        x=alt.X("wall_s:Q", title="Seconds of work", axis=alt.Axis(tickCount=5)),
        tooltip=[
            alt.Tooltip("run_id:N", title="Run"),
            alt.Tooltip("title:N", title="Stage"),
            alt.Tooltip("label:N", title="Took"),
        ],
    )
    bars = base.mark_bar(cornerRadius=2, opacity=0.9).encode(color=_run(runs))
    text = base.mark_text(align="left", dx=5, fontSize=11).encode(text=alt.Text("label:N"), color=alt.ColorValue(INK))
    return layered([bars, text], height=_FRAME + 34 * max(1, len(order)), padding={"bottom": 4, "right": 60})


def _run(runs: Sequence[str]) -> alt.Color:
    legend = alt.Legend(title=None, orient="top", labelLimit=320)
    return alt.Color("run_id:N", scale=alt.Scale(domain=list(runs)), legend=legend)
