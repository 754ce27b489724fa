"""Layers put together as Altair does it, but for its copies.

`alt.LayerChart` copies every layer deeply, three times, whenever it is made, and is made anew for each look at it: half
of the time that a chart takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt


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
