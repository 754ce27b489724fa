"""A figure along the strengths of an optimiser, with its interval: NDR, or the length of responses.

Overoptimisation curves: gain against the distance from the initial policy, with fits (Gao et al.).

The Goodhart check: the slope of golden on proxy gain against accuracy, and what accuracy alone predicts.
"""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.style import INK, SOFT, layered

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


CURVE_HEIGHT = 380


def gains(points: pl.DataFrame, lines: pl.DataFrame, x_title: str) -> alt.LayerChart:
    """`points`: columns `curve, strength, distance, gain, low, high`; `lines`, the fits: `curve, distance, gain`."""
    x = alt.X("distance:Q", title=x_title, axis=alt.Axis(tickCount=6, format=".1f"))
    y_axis = alt.Axis(tickCount=6, format=".1f")
    y = alt.Y("gain:Q", title="Gain over the initial policy (sd within prompts)", axis=y_axis)
    order = points["curve"].unique(maintain_order=True).to_list()
    legend = alt.Legend(title=None, orient="top", direction="vertical", labelLimit=320)
    colour = alt.Color("curve:N", sort=order, scale=alt.Scale(domain=order), legend=legend)
    shape = alt.Shape("curve:N", sort=order, scale=alt.Scale(domain=order), legend=legend)
    base = alt.Chart(points.drop_nulls("gain")).encode(
        x=x,
        color=colour,
        tooltip=[
            alt.Tooltip("curve:N", title="Curve"),
            alt.Tooltip("strength:Q", title="Strength"),
            alt.Tooltip("distance:Q", title="√KL", format=".2f"),
            alt.Tooltip("gain:Q", title="Gain", format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
        ],
    )
    zero = alt.Chart(alt.InlineData(values=[{"gain": 0}])).mark_rule(opacity=SOFT, aria=False)
    layers = [
        zero.encode(y=alt.Y("gain:Q"), color=alt.ColorValue(INK)),
        base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q")),
        base.mark_point(size=70, filled=True, opacity=1).encode(y=y, shape=shape),
    ]
    if not lines.is_empty():
        fit = alt.Chart(lines).mark_line(strokeWidth=2, strokeDash=[6, 3], opacity=0.8, aria=False)
        layers.insert(1, fit.encode(x=x, y=y, color=colour))
    return layered(layers, height=CURVE_HEIGHT, padding={"bottom": 4})


GOODHART_HEIGHT = 380


def goodhart(pairs: pl.DataFrame, bins: pl.DataFrame, line: pl.DataFrame) -> alt.LayerChart:
    """`pairs`: `golden, proxy, accuracy, slope`; `bins`: `accuracy, slope, low, high, pairs`; `line`: the curve."""
    x = alt.X(
        "accuracy:Q",
        title="Accuracy",
        scale=alt.Scale(zero=False, padding=10),
        axis=alt.Axis(tickCount=6, format=".2f"),
    )
    y = alt.Y("slope:Q", title="Golden gain per proxy gain (standardised)", axis=alt.Axis(tickCount=6, format=".1f"))
    points = (
        alt.Chart(pairs)
        .mark_circle(size=40, opacity=0.45)
        .encode(
            x=x,
            y=y,
            tooltip=[
                alt.Tooltip("golden:N", title="Golden"),
                alt.Tooltip("proxy:N", title="Proxy"),
                alt.Tooltip("accuracy:Q", title="Accuracy", format=".3f"),
                alt.Tooltip("slope:Q", title="Slope", format=".3f"),
                alt.Tooltip("predicted:Q", title="Predicted by accuracy", format=".3f"),
            ],
        )
    )
    curve = alt.Chart(line).mark_line(strokeWidth=1.5, strokeDash=[5, 4], opacity=SOFT, aria=False)
    means = alt.Chart(bins).encode(
        x=x,
        tooltip=[
            alt.Tooltip("accuracy:Q", title="Mean accuracy", format=".3f"),
            alt.Tooltip("slope:Q", title="Mean slope", format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
            alt.Tooltip("predicted:Q", title="Predicted by accuracy", format=".3f"),
            alt.Tooltip("pairs:Q", title="Pairs"),
        ],
    )
    return layered(
        [
            curve.encode(x=x, y=y, color=alt.ColorValue(INK)),
            points,
            means.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), color=alt.ColorValue(INK)),
            means.mark_point(shape="diamond", size=120, filled=True, opacity=1).encode(y=y, color=alt.ColorValue(INK)),
        ],
        height=GOODHART_HEIGHT,
        padding={"bottom": 4},
    )
