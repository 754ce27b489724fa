"""Layers put together as `alt.LayerChart` does it, but for its copies: it copies every layer, deeply, three times."""

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
    chart = alt.LayerChart(layer=[layer for layer in layers if _can_be_clicked(layer)], **frame)
    clicked = iter(chart.layer)
    chart.data = data
    chart.layer = [next(clicked) if _can_be_clicked(layer) else layer.copy(deep=False) for layer in layers]
    for layer, kept in zip(layers, chart.layer, strict=True):
        kept.data = alt.Undefined if layer.data is data else layer.data
    return chart


def _can_be_clicked(layer: alt.Chart) -> bool:
    return layer.params is not alt.Undefined
