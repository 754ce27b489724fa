"""Where a run's time went.

Two runs beside each other: a correlation with its interval, and the time of each stage.

A run's correlations with their intervals, the paper's beside them.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from app.charts.style import INK, SOFT, layered


def timings(stages: pl.DataFrame) -> alt.LayerChart:
    """Seconds per stage, in the order of the run. `stages`: columns `title, wall_s, label`."""
    order = stages["title"].to_list()
    base = alt.Chart(stages).encode(
        y=alt.Y("title:N", sort=order, title=None, axis=alt.Axis(labelLimit=200, labelPadding=6)),
        x=alt.X("wall_s:Q", title=None, axis=None),
        tooltip=[alt.Tooltip("title:N", title="Stage"), alt.Tooltip("label:N", title="Took")],
    )
    bars = base.mark_bar(height=12, cornerRadius=2, opacity=0.85)
    text = base.mark_text(align="left", dx=6, fontSize=12).encode(text=alt.Text("label:N"), color=alt.ColorValue(INK))
    return layered([bars, text], height=26 * max(1, len(order)), padding={"bottom": 2, "right": 70})


_FRAME = 90
"""Height of legend and axis, which Streamlit takes from a chart's own."""


def two_runs(headlines: pl.DataFrame, runs: Sequence[str], title: str) -> alt.LayerChart:
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


def two_times(stages: pl.DataFrame, runs: Sequence[str]) -> alt.LayerChart:
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


BESIDE_HEIGHT = 260


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
        height=BESIDE_HEIGHT,
        padding={"bottom": 4},
    )
