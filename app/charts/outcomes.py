"""Charts of reward models against an outcome: the scatter with both errors, and the correlation without each of them.

Frames are those of `views.measures.outcomes`.
"""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.remembered import remembered
from app.charts.style import (
    INK,
    SOFT,
    axis,
    layered,
    reference_line,
    rows,
    tooltips,
    with_interval,
)
from app.components.formats import FIGURE
from warehouse.metrics.formulas import Measure

_HEIGHT = 400
_PLAIN = ",.6~r"
"""Numbers of any size, as people write them: `1,150`, `0.54`."""

_ROW = 22
_NAMED = 24
"""Up to this many reward models, their names are written beside their points."""


@remembered
def scatter(points: pl.DataFrame, measure: Measure, outcome: str) -> alt.LayerChart:
    """A measure (across) against an outcome (up), a point for each reward model, with the 95% interval of either.

    `points`: `reward_model`, `value, low, high`, `outcome` with `outcome_low, outcome_high`, which are the same where
    its error is unknown.
    """
    base = alt.Chart(points.drop_nulls("value"))
    x_scale, y_scale = alt.Scale(zero=False, padding=14), alt.Scale(zero=False, padding=14)
    x = alt.X("value:Q", title=measure.axis, scale=x_scale, axis=alt.Axis(tickCount=6))
    y = alt.Y("outcome:Q", title=outcome, scale=y_scale, axis=axis(6, _PLAIN))
    shown = tooltips(
        ("reward_model", "Reward model"),
        *with_interval("value", measure.axis, measure.format),
        ("outcome", outcome, _PLAIN),
        ("outcome_low", "Outcome, 95% from", _PLAIN),
        ("outcome_high", "Outcome, 95% to", _PLAIN),
    )
    bars = base.mark_rule(strokeWidth=1.5, opacity=SOFT, aria=False).encode(color=alt.ColorValue(INK))
    layers = [
        bars.encode(x=alt.X("low:Q", scale=x_scale), x2=alt.X2("high:Q"), y=y),
        bars.encode(x=x, y=alt.Y("outcome_low:Q", scale=y_scale), y2=alt.Y2("outcome_high:Q")),
        base.mark_circle(size=110, opacity=1).encode(x=x, y=y, tooltip=shown),
    ]
    if points["value"].n_unique() > 2:
        line = base.transform_regression("value", "outcome").mark_line(opacity=SOFT, strokeDash=[5, 4], aria=False)
        layers.insert(0, line.encode(x=x, y=y, color=alt.ColorValue(INK)))
    if points.height <= _NAMED:
        names = base.mark_text(align="left", baseline="bottom", dx=7, dy=-5, fontSize=11, aria=False)
        layers.append(names.encode(x=x, y=y, text=alt.Text("reward_model:N"), color=alt.ColorValue(INK)))
    return layered(layers, height=_HEIGHT)


@remembered
def left_out(without: pl.DataFrame, whole: float, x_title: str) -> alt.LayerChart:
    """The plain correlation without each reward model, a row each, the most influential first; a line at the `whole`.

    `without`: `reward_model`, `value`, `change`.
    """
    order = without["reward_model"].to_list()
    base = alt.Chart(without.drop_nulls("value"))
    x = alt.X("value:Q", title=x_title, scale=alt.Scale(zero=False, padding=12), axis=alt.Axis(tickCount=5))
    y = rows("reward_model", order, limit=180, every=True)
    shown = tooltips(
        ("reward_model", "Left out"), ("value", x_title, FIGURE), ("change", "Change from all of them", f"+{FIGURE}")
    )
    stems = base.mark_rule(strokeWidth=1.5, opacity=SOFT, aria=False).encode(color=alt.ColorValue(INK))
    layers = [
        reference_line("x", whole),
        stems.encode(x=x, x2=alt.datum(whole), y=y),
        base.mark_circle(size=80, opacity=1).encode(x=x, y=y, tooltip=shown),
    ]
    return layered(layers, height=max(120, _ROW * len(order)))
