"""Where a run's time went, two runs compared, and a run's correlations next to the paper's."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from app.charts.remembered import remembered
from app.charts.style import (
    INK,
    axis,
    ceiling_ticks,
    interval_dots,
    layered,
    reference_line,
    rings,
    rows,
    tooltips,
    top_legend,
    with_plain,
)
from app.components.formats import FIGURE

_FRAME = 90
"""Height of legend and axis, which Streamlit takes from a chart's own."""

_CORRELATION = alt.Scale(domain=[-1, 1])


@remembered
def timings(stages: pl.DataFrame) -> alt.LayerChart:
    """Seconds per stage, in the order of the run. `stages`: columns `title, wall_s, label`."""
    order = stages["title"].to_list()
    base = alt.Chart(stages).encode(
        y=rows("title", order),
        x=alt.X("wall_s:Q", title=None, axis=None),
        tooltip=tooltips(("title", "Stage"), ("label", "Took")),
    )
    layers = [base.mark_bar(height=12, cornerRadius=2, opacity=0.85), _labels(base, size=12)]
    return layered(layers, height=26 * max(1, len(order)), padding={"bottom": 2, "right": 70})


@remembered
def compared_runs(headlines: pl.DataFrame, runs: Sequence[str], title: str) -> alt.LayerChart:
    """A dot with its interval, a ring and a tick for each run and optimiser.

    `headlines`: columns `run_id, policies` and those of `access.frames.correlation_of`. The ring is the plain
    correlation, the tick its noise ceiling. Undefined figures leave their row empty; a dashed line is at 0.
    """
    frame = headlines.with_columns(row=pl.concat_str("policies", "run_id", separator=", "))
    order = frame["row"].to_list()
    base = alt.Chart(frame.drop_nulls("value")).encode(
        y=rows("row", order, limit=320),
        color=_run(runs),
        tooltip=tooltips(("run_id", "Run"), ("policies", "Policies"), *with_plain("value", "Kendall τ")),
    )
    x = alt.X("value:Q", title=title, scale=_CORRELATION, axis=axis(5))
    layers = [reference_line("x", 0), ceiling_ticks(base, x), *interval_dots(base, x, size=110), rings(base, x)]
    return layered(layers, height=_FRAME + 32 * max(2, len(order)))


@remembered
def compared_times(stages: pl.DataFrame, runs: Sequence[str]) -> alt.LayerChart:
    """A bar for each stage and run. `stages`: columns `run_id, title, wall_s, label`."""
    order = stages["title"].unique(maintain_order=True).to_list()
    base = alt.Chart(stages).encode(
        y=rows("title", order),
        yOffset=alt.YOffset("run_id:N", sort=list(runs)),
        x=alt.X("wall_s:Q", title="Seconds of work", axis=alt.Axis(tickCount=5)),
        tooltip=tooltips(("run_id", "Run"), ("title", "Stage"), ("label", "Took")),
    )
    layers = [base.mark_bar(cornerRadius=2, opacity=0.9).encode(color=_run(runs)), _labels(base, size=11)]
    return layered(layers, height=_FRAME + 34 * max(1, len(order)), padding={"bottom": 4, "right": 60})


def _labels(bars: alt.Chart, size: int) -> alt.Chart:
    """The time in words at the end of each bar."""
    text = bars.mark_text(align="left", dx=6, fontSize=size)
    return text.encode(text=alt.Text("label:N"), color=alt.ColorValue(INK))


def _run(runs: Sequence[str]) -> alt.Color:
    return alt.Color("run_id:N", scale=alt.Scale(domain=list(runs)), legend=top_legend(labelLimit=320))


@remembered
def against_paper(correlations: pl.DataFrame) -> alt.LayerChart:
    """This run's correlations of accuracy with NDR as dots with their intervals, the paper's as hollow diamonds.

    `correlations`: columns `optimizer, correlation`, those of `access.frames.correlation_of`, and `paper`, null where
    undefined. A ring is the plain correlation, as the paper's are; a tick is its noise ceiling.
    """
    title = "Correlation of accuracy with NDR"
    frame = correlations.with_columns(row=pl.concat_str("optimizer", "correlation", separator=", "))
    base = alt.Chart(frame).encode(
        y=rows("row", frame["row"].to_list()),
        tooltip=tooltips(("row", title), *with_plain("value", "This run"), ("paper", "The paper", FIGURE)),
    )
    x = alt.X("value:Q", title=title, scale=_CORRELATION, axis=axis(5))
    ours = base.transform_filter("isValid(datum.value)").transform_calculate(whose="'this run'")
    ours = ours.encode(color=alt.Color("whose:N", legend=top_legend(), scale=alt.Scale(domain=["this run"])))
    diamonds = base.mark_point(shape="diamond", size=90, strokeWidth=1.5, filled=False, opacity=1)
    diamonds = diamonds.encode(x=alt.X("paper:Q", scale=_CORRELATION), color=alt.ColorValue(INK))
    return layered([ceiling_ticks(ours, x), *interval_dots(ours, x, size=110), rings(ours, x), diamonds], height=260)
