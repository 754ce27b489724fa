"""The scores of two reward models for the same responses."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.density import MANY, density
from app.charts.ink import INK, SOFT
from app.charts.layers import layered

HEIGHT = 340


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
    return layered([marks, same], height=HEIGHT, padding={"bottom": 4})
