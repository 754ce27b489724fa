"""The ink of notes and figures, the same in all charts.

Layers put together as Altair does it, but for its copies.

`alt.LayerChart` copies every layer deeply, three times, whenever it is made, and is made anew for each look at it: half
of the time that a chart takes.

A figure's interval on its whole scale: a band with a tick, to stand under the figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

INK = "gray"
"""`grayColor` of the theme, dark on light and light on dark. Streamlit resolves it in a channel's value only.

Give it as `alt.ColorValue(INK)`: of `alt.value(INK)`, Altair searches all its classes for the one that is meant.
"""

SOFT = 0.55
"""Opacity of what stays behind the data: references, fitted lines."""


def layered(layers: Sequence[alt.Chart], **frame: Any) -> alt.LayerChart:
    """The chart of these layers, which stay as they are; `frame` is its height, padding and title.

    Data that most layers share are the whole chart's. What can be clicked is left to Altair, which names the layer and
    gives its parameter to the whole.
    """
    data = max((layer.data for layer in layers), key=lambda one: sum(layer.data is one for layer in layers))
    lifted = alt.LayerChart(layer=[layer for layer in layers if _can_be_clicked(layer)])
    clicked = iter(lifted.layer)
    kept = [next(clicked) if _can_be_clicked(layer) else layer.copy(deep=False) for layer in layers]
    for layer, one in zip(layers, kept, strict=True):
        one.data = alt.Undefined if layer.data is data else layer.data
    return _Layers(data=data, layer=kept, params=lifted.params, **frame)


def titled(chart: alt.Chart | alt.LayerChart, title: str) -> alt.Chart | alt.LayerChart:
    """The chart with a title, which shares all else with it."""
    found = chart.copy(deep=False)
    found.title = title
    return found


class _Layers(alt.LayerChart):
    """Takes its layers as they are."""

    def __init__(self, **given: Any) -> None:
        super(alt.LayerChart, self).__init__(**given)


def _can_be_clicked(layer: alt.Chart) -> bool:
    return layer.params is not alt.Undefined


INTERVAL_HEIGHT = 44


def interval_band(value: float | None, low: float | None, high: float | None, least: float) -> alt.LayerChart:
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
    return layered([band, tick], height=INTERVAL_HEIGHT, padding={"left": 2, "right": 6, "top": 2, "bottom": 2})
