"""The scores of one prompt's responses: a heat strip with a row a reward model, its pick ringed.

The scores of two reward models for the same responses.

The reliability diagram: how sure a reward model is against how often it is right.
"""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.models import height
from app.charts.pairs import MANY, density
from app.charts.style import INK, SOFT, layered

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


SCORES_HEIGHT = 340


def scores(responses: pl.DataFrame, golden: str, proxy: str) -> alt.LayerChart:
    """`responses`: columns `prompt, category, response, golden_score, proxy_score`, scores in standard deviations."""
    titles = f"Score of {golden} (sd)", f"Score of {proxy} (sd)"
    if responses.height > MANY:
        marks = density(responses, "golden_score", "proxy_score", *titles, "responses")
    else:
        marks = (
            alt.Chart(responses)
            .mark_circle(size=30, opacity=0.5)
            .encode(
                x=alt.X("golden_score:Q", title=titles[0], axis=alt.Axis(tickCount=7)),
                y=alt.Y("proxy_score:Q", title=titles[1], axis=alt.Axis(tickCount=7)),
                tooltip=[
                    alt.Tooltip("prompt:N", title="Prompt"),
                    alt.Tooltip("category:N", title="Category"),
                    alt.Tooltip("response:Q", title="Response"),
                    alt.Tooltip("golden_score:Q", title="Golden", format=".2f"),
                    alt.Tooltip("proxy_score:Q", title="Proxy", format=".2f"),
                ],
            )
        )
    same = alt.Chart(alt.InlineData(values=[{"at": -3}, {"at": 3}])).mark_line(
        strokeDash=[5, 4], strokeWidth=1, opacity=SOFT, aria=False, clip=True
    )
    same = same.encode(x=alt.X("at:Q"), y=alt.Y("at:Q"), color=alt.ColorValue(INK))
    return layered([marks, same], height=SCORES_HEIGHT, padding={"bottom": 4})


RELIABILITY_HEIGHT = 300


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
        height=RELIABILITY_HEIGHT,
        padding={"bottom": 4},
    )
