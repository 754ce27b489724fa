"""Charts of golden–proxy pairs: the scatter of a measure against NDR, the same by category, and the heat map.

Every frame of pairs has the columns of `access.frames.pairs` and, for scatter and heat map, `chosen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import altair as alt
import polars as pl

from app.charts.models import flip_legend, flip_scale, label_angle
from app.charts.remembered import remembered
from app.charts.style import (
    INK,
    SOFT,
    Field,
    axis,
    cells,
    gradient_legend,
    layered,
    reference_line,
    tooltips,
    top_legend,
    with_interval,
)
from app.components.formats import COUNT, FIGURE, SHARE, SHORT
from warehouse.metrics.catalogue import QUANTITIES
from warehouse.metrics.formulas import Measure
from warehouse.study.regret import Quantity

CLICK = "pair"
"""Name of the selection that a click makes; it carries `golden` and `proxy`."""

MANY = 2000
"""More points than this are drawn as a density: the pairs of 46 reward models or more."""

_HEIGHT = 440
_PANEL_HEIGHT = 230
_BINS = 40
_COLOURS = 5
_LARGE_POINTS = 200
_CELLS_WITH_FIGURES = 8
_DESCRIPTION = (
    "'golden ' + datum.golden + ', proxy ' + datum.proxy"
    f" + ', NDR ' + (isValid(datum.ndr) ? format(datum.ndr, '{FIGURE}') : 'undefined')"
)


@remembered
def scatter(pairs: pl.DataFrame, measure: Measure, quantity: Quantity = "ndr") -> alt.LayerChart:
    """Measure (across) against NDR (up), one point per pair, coloured by the golden's share of flipped labels.

    Column `ndr` may hold gains in NDR's place (`quantity`).

    `pairs` has no nulls, except unknown flip rates. A click selects `golden` and `proxy`. The chosen pair is ringed,
    with the 95% interval of its NDR. Of few pairs, ticks along the edges show the distribution of each axis; very many
    are drawn as a density, in which nothing can be clicked.
    """
    base = _described(pairs)
    x = alt.X(
        "value:Q",
        title=measure.axis,
        scale=alt.Scale(zero=False, padding=12),
        axis=alt.Axis(tickCount=6, format=alt.Undefined if pairs["value"].n_unique() > 1 else measure.format),
    )
    title = QUANTITIES[quantity].title
    y = alt.Y("ndr:Q", title=title, axis=axis())
    layers = [*_labelled_line(0.0, "no gain", "right")]
    layers += _labelled_line(1.0, "nothing lost", "left") if quantity == "ndr" else []
    layers += _fit(base, pairs, x, y, strokeDash=[5, 4])
    if pairs.height > MANY:
        layers.append(density(pairs, "value", "ndr", (measure.axis, title), "pairs"))
    else:
        points = base.mark_circle(size=110 if pairs.height <= _LARGE_POINTS else 45, opacity=0.85, cursor="pointer")
        layers += _edge_ticks(base, x, y) if pairs.height <= _LARGE_POINTS else []
        layers.append(
            points.encode(
                x=x,
                y=y,
                tooltip=_tooltip(pairs, measure),
                description=alt.Description("description:N"),
                **_golden_colour(pairs, legend=True),
            ).add_params(click())
        )
    if pairs["chosen"].any():  # Vega warns of a layer without a row
        chosen = base.transform_filter("datum.chosen").encode(x=x, color=alt.ColorValue(INK))
        interval = alt.Y("ndr_low:Q"), alt.Y2("ndr_high:Q")
        layers += [
            chosen.mark_rule(strokeWidth=1.5, clip=True, aria=False).encode(y=interval[0], y2=interval[1]),
            chosen.mark_point(size=340, strokeWidth=2, filled=False, opacity=1, aria=False).encode(y=y),
        ]
    return layered(layers, height=_HEIGHT)


@remembered
def matrix(pairs: pl.DataFrame, column: str, measure: Measure) -> alt.LayerChart:
    """All pairs at once, golden down, proxy across; `column` is `value` or `ndr`. A click selects `golden` and `proxy`.

    Reward models are in the order that they have everywhere, that of their names (`warehouse.reads`). The diagonal is
    empty, as no pair is there; an undefined value is a dash.
    """
    goldens, proxies = (sorted(pairs[side].unique()) for side in ("golden", "proxy"))
    with_figures = len(proxies) <= _CELLS_WITH_FIGURES
    labels = alt.Axis(labelAngle=label_angle(proxies), labelOverlap=not with_figures, labelFlush=False)
    base = _described(pairs).encode(
        x=alt.X("proxy:N", sort=proxies, title="Proxy", axis=labels), y=alt.Y("golden:N", sort=goldens, title="Golden")
    )
    scale = alt.Scale(range="heatmap", domain=[0, 1], clamp=True) if column == "ndr" else alt.Scale(range="heatmap")
    shades, *figures = cells(base, column, scale, figures=with_figures, mark={"cursor": "pointer"})
    shades = shades.encode(tooltip=_tooltip(pairs, measure), description=alt.Description("description:N"))
    layers = [shades.add_params(click()), *figures]
    if pairs["chosen"].any():
        chosen = base.transform_filter("datum.chosen").encode(color=alt.ColorValue(INK))
        layers.insert(1, chosen.mark_rect(filled=False, strokeWidth=2.5, cornerRadius=2, aria=False))
    return layered(layers, height=_HEIGHT)


@remembered
def panels(pairs: pl.DataFrame, captions: Mapping[str, str], measure: Measure) -> list[alt.LayerChart]:
    """The scatter of each category, small and on common axes, for each key of `captions`, which is under its name.

    `pairs` has no nulls, and a column `category`.
    """
    x = alt.X("value:Q", title=measure.axis, scale=_common_scale(pairs, "value"), axis=alt.Axis(tickCount=4))
    y = alt.Y("ndr:Q", title="NDR", scale=_common_scale(pairs, "ndr"), axis=alt.Axis(tickCount=4))
    return [
        _panel(pairs.filter(category=name), measure, x, y, panel_title(name, caption))
        for name, caption in captions.items()
    ]


def panel_title(name: str, caption: str) -> alt.TitleParams:
    """A panel's name and its caption in one title, as Streamlit's theme does not colour a Vega subtitle."""
    return alt.TitleParams([name, caption], fontWeight="normal", fontSize=13, lineHeight=17, offset=10)


def _panel(pairs: pl.DataFrame, measure: Measure, x: alt.X, y: alt.Y, title: alt.TitleParams) -> alt.LayerChart:
    base = alt.Chart(pairs).encode(x=x, y=y)
    if pairs.height > MANY:
        shades = density(pairs, "value", "ndr", (measure.axis, "NDR"), "pairs")
        shades.encoding.color.legend = None
        layers = [shades]
    else:
        points = base.mark_circle(size=28, opacity=0.7)
        points = points.encode(tooltip=_tooltip(pairs, measure), **_golden_colour(pairs, legend=False))
        layers = [points, *_fit(base, pairs, x, y, clip=True)]
    return layered(layers, title=title, height=_PANEL_HEIGHT)


def density(frame: pl.DataFrame, x: str, y: str, titles: tuple[str, str], unit: str) -> alt.Chart:
    """Number of rows in cells of columns `x` and `y`, for very many points; `unit` is what a row is, in the plural.

    Cells are counted here, not by Vega: the axis of Vega's bins is labelled in their middle and has no true zero.
    """
    edges = {column: _edges(frame[column]) for column in (x, y)}
    cells = frame.select(x, y).with_columns(
        ((pl.col(column) - least) / width).floor().clip(0, _BINS - 1) * width + least
        for column, (least, width) in edges.items()
    )
    counted = cells.group_by(x, y, maintain_order=True).len("rows")
    counted = counted.with_columns(
        (pl.col(column) + width).alias(f"{column}_to") for column, (_, width) in edges.items()
    )
    legend = gradient_legend(unit, gradientThickness=8, tickCount=4)
    fields = [(x, f"{titles[0]}, from", SHORT), (f"{x}_to", "to below", SHORT)]
    fields += [(y, f"{titles[1]}, from", SHORT), (f"{y}_to", "to  below", SHORT)]
    return (
        alt.Chart(counted)
        .mark_rect()
        .encode(
            x=alt.X(f"{x}:Q", title=titles[0], scale=alt.Scale(zero=False), axis=axis()),
            x2=alt.X2(f"{x}_to:Q"),
            y=alt.Y(f"{y}:Q", title=titles[1], scale=alt.Scale(zero=False), axis=axis()),
            y2=alt.Y2(f"{y}_to:Q"),
            color=alt.Color("rows:Q", scale=alt.Scale(range="heatmap", type="sqrt"), legend=legend),
            tooltip=[alt.Tooltip("rows:Q", title=unit, format=COUNT), *tooltips(*fields)],
        )
    )


def _edges(values: pl.Series) -> tuple[float, float]:
    """Where the first cell begins, and how wide each is."""
    least, most = float(values.min()), float(values.max())  # type: ignore[arg-type]
    return least, (most - least) / _BINS or 1.0


def click() -> alt.Parameter:
    """The selection of the pair clicked last; clicking next to the marks keeps it."""
    return alt.selection_point(name=CLICK, fields=["golden", "proxy"], on="click", toggle=False, clear=False)


def _described(pairs: pl.DataFrame) -> alt.Chart:
    """A chart of the pairs in which `description` tells screen readers which pair a mark is."""
    return alt.Chart(pairs).transform_calculate(description=_DESCRIPTION)


def _golden_colour(pairs: pl.DataFrame, *, legend: bool) -> dict[str, Any]:
    """By the share of flipped labels; by name if one is unknown, as a null has no place on a scale.

    Of more goldens than the theme has colours, such as imported ones, all have the same: two of a colour would seem to
    have something in common.
    """
    rates = pairs["golden_flip_rate"].unique().sort().to_list()
    if None in rates or not rates:
        goldens = sorted(pairs["golden"].unique())
        if len(goldens) > _COLOURS:
            return {}
        shown = top_legend("Golden", labelLimit=160) if legend else None
        return {"color": alt.Color("golden:N", scale=alt.Scale(domain=goldens), legend=shown)}
    shown = flip_legend(rates, "Labels flipped in the golden") if legend else None
    return {"color": alt.Color("golden_flip_rate:Q", scale=flip_scale(rates), legend=shown)}


def _tooltip(pairs: pl.DataFrame, measure: Measure) -> list[alt.Tooltip]:
    fields: list[Field] = []
    for side in ("golden", "proxy"):
        fields.append((side, side.capitalize()))
        if pairs[f"{side}_flip_rate"].null_count() == 0:  # the browser would show null as 0 %
            fields.append((f"{side}_flip_rate", f"{side.capitalize()}: labels flipped", SHARE))
    return tooltips(*fields, ("value", measure.axis, measure.format), *with_interval("ndr", "NDR", bounds="ndr_"))


def _fit(base: alt.Chart, pairs: pl.DataFrame, x: alt.X, y: alt.Y, **mark: Any) -> list[alt.Chart]:
    """The least-squares line through three values or more."""
    if pairs["value"].n_unique() <= 2:
        return []
    line = base.transform_regression("value", "ndr").mark_line(opacity=SOFT, strokeWidth=1.5, aria=False, **mark)
    return [line.encode(x=x, y=y, color=alt.ColorValue(INK))]


def _edge_ticks(base: alt.Chart, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """A tick per point at the lower edge for its value, at the right one for its NDR."""
    ticks = base.encode(color=alt.ColorValue(INK))
    bottom = ticks.mark_tick(yOffset=-4, size=8, thickness=1, opacity=0.35, aria=False)
    right = ticks.mark_tick(xOffset=-4, size=8, thickness=1, opacity=0.35, aria=False)
    return [bottom.encode(x=x, y=alt.YValue("height")), right.encode(x=alt.XValue("width"), y=y)]


def _labelled_line(ndr: float, note: str, side: Literal["left", "right"]) -> list[alt.Chart]:
    """A line at a value of NDR that means something, and what it means, on the side where points are rare."""
    line = reference_line("y", ndr, dashed=False)
    inwards = 4 if side == "left" else -14  # past the ticks of the right edge
    text = line.mark_text(align=side, baseline="bottom", dx=inwards, dy=-4, fontSize=12, aria=False)
    x = alt.XValue(0) if side == "left" else alt.XValue("width")
    return [line, text.encode(x=x, text=alt.TextValue(note))]


def _common_scale(pairs: pl.DataFrame, column: str) -> alt.Scale:
    """From the least to the greatest of all panels: common axes make them comparable."""
    least, most = pairs.select(least=pl.col(column).min(), most=pl.col(column).max()).row(0)
    return alt.Scale(zero=False) if least is None else alt.Scale(domain=[least, most], zero=False, padding=6)
