"""A figure's interval on its whole scale: a band with a tick, to stand under the figure."""

from __future__ import annotations

import altair as alt

from app.charts.layers import layered

HEIGHT = 44


def interval(value: float | None, low: float | None, high: float | None, least: float) -> alt.LayerChart:
    """Where `value` and its interval lie between `least` and 1, with a mark at 0. Empty where a figure is undefined."""
    axis = alt.Axis(values=[least, 0, 1], format="~f", grid=False, domain=True, title=None)
    axis.labelPadding, axis.ticks, axis.tickSize = 3, True, 4
    x = alt.X("low:Q", scale=alt.Scale(domain=[least, 1], nice=False, clamp=True), axis=axis)
    data = alt.InlineData(values=[{"value": value, "low": low, "high": high}])
    base = alt.Chart(data).encode(
        tooltip=[
            alt.Tooltip("value:Q", title="Value", format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
        ]
    )
    band = base.mark_bar(height=8, opacity=0.35, cornerRadius=2).encode(x=x, x2=alt.X2("high:Q"))
    tick = base.mark_tick(thickness=3, size=18, opacity=1).encode(x=alt.X("value:Q"))
    return layered([band, tick], height=HEIGHT, padding={"left": 2, "right": 6, "top": 2, "bottom": 2})
