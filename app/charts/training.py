"""How reward models learnt: a figure against the optimiser steps taken, one line a reward model."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.layers import layered
from app.charts.models import colour, trained_tooltips

HEIGHT = 280


def training(
    curves: pl.DataFrame, title: str, chosen: str | None = None, x_title: str = "Optimiser steps"
) -> alt.LayerChart:
    """`curves`: columns `reward_model, kind, flip_rate, step, value`. The chosen reward model's line is the boldest."""
    base = alt.Chart(curves).encode(
        x=alt.X("step:Q", title=x_title, axis=alt.Axis(tickCount=6, format="d", grid=False)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5, format=".2f")),
        detail=alt.Detail("reward_model:N"),
        color=colour(curves),
        tooltip=[
            *trained_tooltips(curves),
            alt.Tooltip("step:Q", title="Steps"),
            alt.Tooltip("value:Q", title=title, format=".3f"),
        ],
    )
    bold = base.transform_filter(alt.FieldEqualPredicate(equal=chosen or "", field="reward_model"))
    layers = [
        base.mark_line(strokeWidth=1.5, opacity=0.55),
        bold.mark_line(strokeWidth=3.5),
        base.mark_circle(size=28, opacity=0.8),
    ]
    return layered(layers, height=HEIGHT, padding={"bottom": 4})


def losses(curves: pl.DataFrame) -> alt.LayerChart:
    """Losses of one reward model. `curves`: columns `step, pairs, value`; `pairs` says over which."""
    base = alt.Chart(curves).encode(
        x=alt.X("step:Q", title="Optimiser steps", axis=alt.Axis(tickCount=6, format="d", grid=False)),
        y=alt.Y("value:Q", title="Loss (nats per pair)", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        color=alt.Color("pairs:N", legend=alt.Legend(title="Pairs", orient="top", symbolStrokeWidth=0)),
        tooltip=[
            alt.Tooltip("pairs:N", title="Pairs"),
            alt.Tooltip("step:Q", title="Steps"),
            alt.Tooltip("value:Q", title="Loss", format=".3f"),
        ],
    )
    dashed = alt.StrokeDash("pairs:N", legend=None)
    return layered(
        [base.mark_line(strokeWidth=2.5).encode(strokeDash=dashed), base.mark_circle(size=40, opacity=1)],
        height=HEIGHT,
        padding={"bottom": 4},
    )
