"""A figure along the strengths of an optimiser, with its interval: NDR, or the length of responses."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.ink import INK, SOFT
from app.charts.layers import layered

HEIGHT = 300


def ndr(points: pl.DataFrame, strength_title: str, doubling: bool) -> alt.LayerChart:
    """`points`: columns `strength, ndr, low, high, undefined_pairs`; `doubling` puts strengths on a log scale."""
    base = alt.Chart(points.drop_nulls("ndr")).encode(
        x=_strength(points, strength_title, doubling),
        tooltip=[
            alt.Tooltip("strength:Q", title=strength_title),
            alt.Tooltip("ndr:Q", title="NDR", format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
            alt.Tooltip("undefined_pairs:Q", title="Pairs undefined"),
        ],
    )
    y = alt.Y("ndr:Q", title="Normalised drop ratio (NDR)", axis=alt.Axis(tickCount=6, format=".1f"))
    lines = alt.Chart(alt.InlineData(values=[{"ndr": 0}, {"ndr": 1}])).mark_rule(opacity=SOFT, aria=False)
    return layered(
        [
            lines.encode(y=y, color=alt.ColorValue(INK)),
            base.mark_area(opacity=0.2).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q")),
            base.mark_line(strokeWidth=2).encode(y=y),
            base.mark_circle(size=60, opacity=1).encode(y=y),
        ],
        height=HEIGHT,
        padding={"bottom": 4},
    )


def lengths(points: pl.DataFrame, strength_title: str, doubling: bool, whole: str) -> alt.LayerChart:
    """`points`: columns `policies, strength, tokens, low, high`; the rows of `whole` are bold, with their band."""
    base = alt.Chart(points).encode(
        x=_strength(points, strength_title, doubling),
        tooltip=[
            alt.Tooltip("policies:N", title="Optimised against"),
            alt.Tooltip("strength:Q", title=strength_title),
            alt.Tooltip("tokens:Q", title="Mean tokens", format=".1f"),
            alt.Tooltip("low:Q", title="95% from", format=".1f"),
            alt.Tooltip("high:Q", title="to", format=".1f"),
        ],
    )
    y = alt.Y("tokens:Q", title="Mean length (tokens)", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=6))
    bold = base.transform_filter(alt.FieldEqualPredicate(equal=whole, field="policies"))
    each = base.transform_filter(f"datum.policies != '{whole}'")
    return layered(
        [
            each.mark_line(strokeWidth=1, opacity=0.35).encode(
                y=y, detail=alt.Detail("policies:N"), color=alt.ColorValue(INK)
            ),
            bold.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2=alt.Y2("high:Q")),
            bold.mark_line(strokeWidth=2.5).encode(y=y),
            bold.mark_circle(size=60, opacity=1).encode(y=y),
        ],
        height=HEIGHT,
        padding={"bottom": 4},
    )


def _strength(points: pl.DataFrame, title: str, doubling: bool) -> alt.X:
    values = points["strength"].unique().sort().to_list()
    if doubling:
        axis = alt.Axis(values=values, format="d", grid=False)
        return alt.X("strength:Q", title=title, scale=alt.Scale(type="log", base=2), axis=axis)
    return alt.X("strength:Q", title=title, axis=alt.Axis(tickCount=6, format="d", grid=False))
