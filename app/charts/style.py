"""What all charts share: ink, axes, tooltips, legends, reference lines, intervals, and layers without copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt
import polars as pl

from app.charts.remembered import remembered
from app.components.formats import AXIS, FIGURE, SHARE, SHORT

INK = "gray"
"""`grayColor` of the theme, dark on light and light on dark. Streamlit resolves the name only as a channel's value.

Pass it as `alt.ColorValue(INK)`: for `alt.value(INK)` Altair would search all its classes.
"""

ON_GRIDLINES = {"labelFlush": False}
"""Configuration of axes: Vega would move the first and last label inwards, away from their gridlines."""

SOFT = 0.55
"""Opacity of what is behind the data: references, fitted lines."""

Field = tuple[str, str] | tuple[str, str, str]
"""A column with its title, and for a number its format."""


def tooltips(*fields: Field) -> list[alt.Tooltip]:
    """What hovering shows, in this order. If two have the same title, the browser shows the last only."""
    return [
        alt.Tooltip(f"{field[0]}:Q", title=field[1], format=field[2])
        if len(field) == 3
        else alt.Tooltip(f"{field[0]}:N", title=field[1])
        for field in fields
    ]


def with_interval(column: str, title: str, format_: str = FIGURE, *, bounds: str = "") -> list[Field]:
    """A figure and its 95% interval for `tooltips`; the interval's columns are `{bounds}low` and `{bounds}high`."""
    return [(column, title, format_), (f"{bounds}low", "95% from", format_), (f"{bounds}high", "to", format_)]


_AUTOMATIC: Mapping[str, Any] = {AXIS: alt.Undefined, SHORT: alt.Undefined, SHARE: "%"}
"""On an axis these have as many decimals as its ticks need: with a fixed number, 0.75 and 0.8 would read alike."""


def axis(ticks: int = 6, format_: str = AXIS, **properties: Any) -> alt.Axis:
    """A number axis with about this many ticks."""
    return alt.Axis(tickCount=ticks, format=_AUTOMATIC.get(format_, format_), **properties)


def rows(column: str, order: Sequence[str], *, limit: int = 200, every: bool = False, **axis: Any) -> alt.Y:
    """A row for each text in `order`; `limit` is the width of their labels, `every` shows them all, however close."""
    if every:
        axis |= {"labelOverlap": False, "labelFlush": False}
    return alt.Y(
        f"{column}:N",
        sort=list(order),
        scale=alt.Scale(domain=list(order)),
        title=None,
        axis=alt.Axis(labelLimit=limit, labelPadding=6, **axis),
    )


def top_legend(title: str | None = None, **properties: Any) -> alt.Legend:
    """A legend above the chart."""
    return alt.Legend(title=title, orient="top", **properties)


def gradient_legend(title: str | None = None, **properties: Any) -> alt.Legend:
    """The legend of a ramp of colours, above the chart."""
    return top_legend(title, **{"gradientLength": 110, "gradientThickness": 10, **properties})


def reference_line(channel: Literal["x", "y"], *values: float, dashed: bool = True) -> alt.Chart:
    """Lines across the chart at these values of x or y."""
    dash: Any = [5, 4] if dashed else alt.Undefined
    marks = alt.Chart(alt.InlineData(values=[{"at": value} for value in values]))
    place = {"x": alt.X("at:Q")} if channel == "x" else {"y": alt.Y("at:Q")}
    return marks.mark_rule(strokeDash=dash, opacity=SOFT, aria=False).encode(**place, color=alt.ColorValue(INK))


def interval_dots(base: alt.Chart, x: alt.X, *, bounds: str = "", size: int = 90) -> list[alt.Chart]:
    """A dot at `x` in each row, and its interval from `{bounds}low` to `{bounds}high`."""
    low = alt.X(f"{bounds}low:Q", scale=x["scale"])
    return [
        base.mark_bar(height=2).encode(x=low, x2=alt.X2(f"{bounds}high:Q")),
        base.mark_circle(size=size, opacity=1).encode(x=x),
    ]


def rings(base: alt.Chart, x: alt.X, *, size: int = 60) -> alt.Chart:
    """A hollow mark in each row at the plain correlation, column `sample`."""
    return base.mark_point(shape="circle", filled=False, size=size, strokeWidth=1.5, opacity=1).encode(
        x=alt.X("sample:Q", scale=x["scale"])
    )


def ceiling_ticks(base: alt.Chart, x: alt.X, *, size: int = 18) -> alt.Chart:
    """A tick in each row at the noise ceiling, column `ceiling`."""
    ticks = base.mark_tick(thickness=2, size=size, opacity=SOFT, aria=False)
    return ticks.encode(x=alt.X("ceiling:Q", scale=x["scale"]), color=alt.ColorValue(INK))


def ceiling_lines(frame: pl.DataFrame, channel: Literal["x", "y"], colour: alt.Color | None = None) -> list[alt.Chart]:
    """A line across the chart at each noise ceiling of a frame, the greatest one labelled; none where undefined.

    `frame` has the columns `ceiling` and, where `colour` is given, the one that it encodes.
    """
    columns = ["ceiling"] if colour is None else ["ceiling", str(colour.shorthand).partition(":")[0]]
    lines = frame.select(columns).drop_nulls("ceiling").unique(maintain_order=True)
    if lines.is_empty():
        return []
    at = {"x": alt.X("ceiling:Q")} if channel == "x" else {"y": alt.Y("ceiling:Q")}
    edge = {"y": alt.YValue(0)} if channel == "x" else {"x": alt.XValue("width")}
    rules = alt.Chart(lines).mark_rule(strokeWidth=1.5, opacity=1, aria=False)
    labels = alt.Chart(lines.top_k(1, by="ceiling")).mark_text(fontSize=11, aria=False, align="right", dy=-5)
    ink, text = alt.ColorValue(INK), "noise ceiling" if lines.height == 1 else "noise ceilings"
    return [
        rules.encode(color=colour or ink, tooltip=tooltips(("ceiling", "Noise ceiling", FIGURE)), **at),
        labels.encode(text=alt.TextValue(text), color=ink, **at, **edge),
    ]


def with_plain(column: str, title: str) -> list[Field]:
    """For `tooltips`: a correlation about this test set with its interval, and what stands beside it."""
    return [
        *with_interval(column, f"{title}, this test set"),
        ("measure_itself", "The measure itself", FIGURE),
        ("sample", "Plain", FIGURE),
        ("ceiling", "Noise ceiling", FIGURE),
        ("of_ceiling", "Plain / ceiling", SHARE),
    ]


def banded_line(base: alt.Chart, y: alt.Y, *, band: float = 0.2, width: float = 2) -> list[alt.Chart]:
    """A line along x with a dot at each point and the band of its interval, columns `low` and `high`."""
    return [
        base.mark_area(opacity=band).encode(y=alt.Y("low:Q", scale=y["scale"]), y2=alt.Y2("high:Q")),
        base.mark_line(strokeWidth=width).encode(y=y),
        base.mark_circle(size=60, opacity=1).encode(y=y),
    ]


def cells(
    base: alt.Chart, column: str, scale: alt.Scale, *, figures: bool, mark: dict[str, Any] | None = None
) -> list[alt.Chart]:
    """The shades of a heat map, with their value printed (an undefined one as a dash) or with a legend.

    `base` has x, y and what the shades have besides colour in `mark` (arguments of `mark_rect`).
    """
    legend = None if figures else gradient_legend()
    shades = base.mark_rect(cornerRadius=2, **(mark or {})).encode(
        color=alt.Color(f"{column}:Q", scale=scale, legend=legend)
    )
    if not figures:
        return [shades]
    label = f"isValid(datum.{column}) ? format(datum.{column}, '{SHORT}') : '–'"
    text = base.transform_calculate(label=label).mark_text(fontSize=13, aria=False)
    return [shades, text.encode(text=alt.Text("label:N"), color=alt.ColorValue(INK))]


def layered(layers: Sequence[alt.Chart], **frame: Any) -> alt.LayerChart:
    """The chart of these layers, which are not changed; `frame` is its height and title, `padding` if not the usual.

    `alt.LayerChart` would copy every layer deeply, three times, which is half of the time that a chart takes. Data that
    most layers share are given to the whole chart. A layer that can be clicked is left to Altair, which names it and
    gives its parameter to the whole chart.
    """
    data = max((layer.data for layer in layers), key=lambda data: sum(layer.data is data for layer in layers))
    lifted = alt.LayerChart(layer=[layer for layer in layers if _can_be_clicked(layer)])
    clickable = iter(lifted.layer)
    copies = [next(clickable) if _can_be_clicked(layer) else layer.copy(deep=False) for layer in layers]
    for layer, copy in zip(layers, copies, strict=True):
        copy.data = alt.Undefined if layer.data is data else layer.data
    return _Layers(**{"data": data, "layer": copies, "params": lifted.params, "padding": {"bottom": 4}, **frame})


@remembered
def titled(chart: alt.Chart | alt.LayerChart, title: str) -> alt.Chart | alt.LayerChart:
    """The chart with a title; everything else is shared with the original."""
    copy = chart.copy(deep=False)
    copy.title = title
    return copy


class _Layers(alt.LayerChart):
    """A layer chart that takes its layers as they are."""

    def __init__(self, **properties: Any) -> None:
        super(alt.LayerChart, self).__init__(**properties)


def _can_be_clicked(layer: alt.Chart) -> bool:
    return layer.params is not alt.Undefined


@remembered
def interval_band(row: Mapping[str, float | None], least: float) -> alt.LayerChart:
    """Where a correlation and its interval lie between `least` and 1, with a mark at 0.

    `row` has `value, low, high`, the plain correlation `sample` (a ring), the noise `ceiling` (a line) and what else
    `with_plain` names. Empty where a figure is undefined.
    """
    ticks = alt.Axis(values=[least, 0, 1], format="~f", grid=False, domain=True, title=None)
    ticks.labelPadding, ticks.ticks, ticks.tickSize = 3, True, 4
    x = alt.X("low:Q", scale=alt.Scale(domain=[least, 1], nice=False, clamp=True), axis=ticks)
    base = alt.Chart(alt.InlineData(values=[dict(row)])).encode(tooltip=tooltips(*with_plain("value", "Value")))
    band = base.mark_bar(height=8, opacity=0.35, cornerRadius=2).encode(x=x, x2=alt.X2("high:Q"))
    tick = base.mark_circle(size=110, opacity=1).encode(x=alt.X("value:Q"))
    layers = [ceiling_ticks(base, x), band, tick, rings(base, x)]
    return layered(layers, height=44, padding={"left": 2, "right": 6, "top": 2, "bottom": 2})
