"""The study's central figure: a measure of the reward models against what the policies lose.

Each point is one golden–proxy pair, coloured by how noisy the golden itself is.
"""

from __future__ import annotations

from typing import Literal

import altair as alt
import polars as pl

from app.charts.density import MANY, density
from app.charts.ink import INK, SOFT
from app.charts.layers import layered
from app.charts.pair import HEIGHT, click, described, golden_colour, tooltip
from warehouse.measures import Measure

_LEGEND_ENTRIES = 6
_NDR = "Normalised drop ratio (NDR)"
_LARGE_POINTS = 200


def scatter(pairs: pl.DataFrame, measure: Measure) -> alt.LayerChart:
    """Measure (across) against NDR (up), one point per defined pair; a click selects `golden` and `proxy`.

    `pairs`: columns `golden, proxy, golden_flip_rate, proxy_flip_rate, value, ndr, ndr_low, ndr_high, chosen`, without
    nulls, but for flip rates that are not known. The chosen pair is ringed, and the 95 % interval of its NDR drawn.
    Ticks along the edges are the points once more, for each figure alone. Very many pairs are drawn as their density,
    in which nothing can be clicked.
    """
    base = described(pairs)
    x = alt.X(
        "value:Q",
        title=measure.axis,
        scale=alt.Scale(zero=False, padding=12),
        axis=alt.Axis(tickCount=6, format=alt.Undefined if pairs["value"].n_unique() > 1 else measure.format),
    )
    y = alt.Y("ndr:Q", title=_NDR, axis=alt.Axis(format=".1f", tickCount=6))
    points = (
        base.mark_circle(size=110 if pairs.height <= _LARGE_POINTS else 45, opacity=0.85, cursor="pointer")
        .encode(
            x=x,
            y=y,
            color=_golden_colour(pairs),
            tooltip=tooltip(pairs, measure),
            description=alt.Description("description:N"),
        )
        .add_params(click())
    )
    spread = (
        base.transform_filter("datum.chosen")
        .mark_rule(strokeWidth=1.5, clip=True, aria=False)
        .encode(x=x, y=alt.Y("ndr_low:Q"), y2=alt.Y2("ndr_high:Q"), color=alt.ColorValue(INK))
    )
    ring = (
        base.transform_filter("datum.chosen")
        .mark_point(size=340, strokeWidth=2, filled=False, opacity=1, aria=False)
        .encode(x=x, y=y, color=alt.ColorValue(INK))
    )
    if pairs.height > MANY:
        points = density(pairs, "value", "ndr", measure.axis, _NDR, "pairs")
    layers: list[alt.Chart] = [*_reference(1.0, "nothing lost", "left"), *_reference(0.0, "no gain", "right")]
    if pairs["value"].n_unique() > 2:
        fit = base.transform_regression("value", "ndr").mark_line(
            opacity=SOFT, strokeWidth=1.5, strokeDash=[5, 4], aria=False
        )
        layers.append(fit.encode(x=x, y=y, color=alt.ColorValue(INK)))
    margins = [] if pairs.height > MANY else _margins(base, x, y)
    return layered([*layers, *margins, points, spread, ring], height=HEIGHT, padding={"bottom": 4})


def _margins(base: alt.Chart, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """A tick per point at the lower edge for its value, at the right one for its NDR."""
    ticks = base.encode(color=alt.ColorValue(INK))
    below = ticks.mark_tick(yOffset=-4, size=8, thickness=1, opacity=0.35, aria=False)
    beside = ticks.mark_tick(xOffset=-4, size=8, thickness=1, opacity=0.35, aria=False)
    return [below.encode(x=x, y=alt.YValue("height")), beside.encode(x=alt.XValue("width"), y=y)]


def _golden_colour(pairs: pl.DataFrame) -> alt.Color:
    rates = pairs["golden_flip_rate"].drop_nulls().unique().sort().to_list()
    legend = alt.Legend(title="Labels flipped in the golden", format=".0%", orient="top", direction="horizontal")
    if len(rates) <= _LEGEND_ENTRIES:
        legend.type, legend.values, legend.symbolOpacity = "symbol", rates, 0.85
    else:
        legend.gradientLength, legend.gradientThickness = 220, 8
    domain = [rates[0], rates[-1]] if len(rates) > 1 else alt.Undefined
    return golden_colour(pairs, legend, domain=domain)


def _reference(ndr: float, note: str, side: Literal["left", "right"]) -> list[alt.Chart]:
    """A thin line at a value of NDR that means something, and what it means, on the side where points are rare."""
    at = alt.Chart(alt.InlineData(values=[{"ndr": ndr}])).encode(y=alt.Y("ndr:Q"), color=alt.ColorValue(INK))
    inwards = 4 if side == "left" else -14  # past the ticks of the right margin
    text = at.mark_text(align=side, baseline="bottom", dx=inwards, dy=-4, fontSize=12, aria=False)
    x = alt.XValue(0) if side == "left" else alt.XValue("width")
    return [at.mark_rule(strokeWidth=1, opacity=SOFT, aria=False), text.encode(x=x, text=alt.TextValue(note))]
