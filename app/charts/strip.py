"""The scores of one prompt's responses: a heat strip with a row a reward model, its pick ringed."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.ink import INK
from app.charts.layers import layered
from app.charts.models import height

_NUMBERED = 40


def strip(cells: pl.DataFrame, names: list[str]) -> alt.LayerChart:
    """`cells`: columns `reward_model, response, standard, score, pick, tokens`; only these names are drawn."""
    shown = cells.filter(pl.col("reward_model").is_in(names))
    base = alt.Chart(shown).encode(
        x=alt.X(
            "response:O",
            title="Response",
            axis=alt.Axis(labelAngle=0, labelOverlap=shown["response"].n_unique() > _NUMBERED),
        ),
        y=alt.Y("reward_model:N", sort=names, title=None, axis=alt.Axis(labelLimit=170, labelOverlap=len(names) > 30)),
        tooltip=[
            alt.Tooltip("reward_model:N", title="Reward model"),
            alt.Tooltip("response:O", title="Response"),
            alt.Tooltip("standard:Q", title="Standardised score", format=".2f"),
            alt.Tooltip("score:Q", title="Score, its own scale", format=".3f"),
            alt.Tooltip("tokens:Q", title="Tokens"),
        ],
    )
    cell = base.mark_rect(cornerRadius=2).encode(
        color=alt.Color(
            "standard:Q",
            scale=alt.Scale(range="heatmap", domain=[-2, 2], clamp=True),
            legend=alt.Legend(
                title="Standardised score (sd)", orient="top", gradientLength=160, gradientThickness=10, format="~f"
            ),
        )
    )
    ring = base.transform_filter("datum.pick").mark_point(
        shape="circle", size=110, strokeWidth=2, filled=False, opacity=1, aria=False
    )
    return layered([cell, ring.encode(color=alt.ColorValue(INK))], height=height(names), padding={"bottom": 4})
