"""What the charts of golden–proxy pairs share: their data, what hovering tells, and what a click carries.

Two figures against each other where there are more points than can be told apart: their number in each cell.

The study's central figure: a measure of the reward models against what the policies lose.

Each point is one golden–proxy pair, coloured by how noisy the golden itself is.

All golden–proxy pairs at once: a heat map, golden down, proxy across.

The scatter once for each category of the test set, small and on common axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import altair as alt
import polars as pl

from app.charts.style import INK, SOFT, layered
from warehouse.study import Measure

CLICK = "pair"
"""Name of the selection that a click makes; it carries `golden` and `proxy`."""

HEIGHT = 440

_DESCRIPTION = (
    "'golden ' + datum.golden + ', proxy ' + datum.proxy"
    " + ', NDR ' + (isValid(datum.ndr) ? format(datum.ndr, '.3f') : 'undefined')"
)


def described(pairs: pl.DataFrame) -> alt.Chart:
    """A chart of the pairs in which `description` says for screen readers which pair a mark is."""
    return alt.Chart(pairs).transform_calculate(description=_DESCRIPTION)


def click() -> alt.Parameter:
    """The selection of the pair clicked last; clicking beside the marks keeps it."""
    return alt.selection_point(name=CLICK, fields=["golden", "proxy"], on="click", toggle=False, clear=False)


def golden_colour(pairs: pl.DataFrame, legend: alt.Legend | None, **scale: Any) -> alt.Color:
    """By the share of flipped labels; by name where it is not known of all: a null has no place on a scale."""
    if pairs.is_empty() or pairs["golden_flip_rate"].null_count():
        return alt.Color("golden:N", legend=None)
    return alt.Color("golden_flip_rate:Q", scale=alt.Scale(range="diverging", **scale), legend=legend)


def tooltip(pairs: pl.DataFrame, measure: Measure) -> list[alt.Tooltip]:
    """What hovering over a pair tells. Of two rows with one title the browser would show the last only."""
    sides = []
    for side in ("golden", "proxy"):
        sides.append(alt.Tooltip(f"{side}:N", title=side.capitalize()))
        if pairs[f"{side}_flip_rate"].count() == pairs.height:  # of null the browser would make 0 %
            title = f"{side.capitalize()}: labels flipped"
            sides.append(alt.Tooltip(f"{side}_flip_rate:Q", title=title, format=".0%"))
    return [
        *sides,
        alt.Tooltip("value:Q", title=measure.axis, format=measure.format),
        alt.Tooltip("ndr:Q", title="NDR", format=".3f"),
        alt.Tooltip("ndr_low:Q", title="95% from", format=".3f"),
        alt.Tooltip("ndr_high:Q", title="to", format=".3f"),
    ]


MANY = 1500
"""More points than this are drawn as a density."""

_BINS = 40


def density(frame: pl.DataFrame, x: str, y: str, x_title: str, y_title: str, unit: str) -> alt.Chart:
    """Counts of rows in cells of columns `x` and `y`; `unit` is what a row is, in the plural."""
    return (
        alt.Chart(frame.select(x, y))
        .mark_rect()
        .encode(
            x=alt.X(f"{x}:Q", bin=alt.Bin(maxbins=_BINS), title=x_title),
            y=alt.Y(f"{y}:Q", bin=alt.Bin(maxbins=_BINS), title=y_title),
            color=alt.Color(
                "count():Q",
                scale=alt.Scale(range="heatmap", type="sqrt"),
                legend=alt.Legend(title=unit, orient="top", gradientLength=160, gradientThickness=8),
            ),
            tooltip=[alt.Tooltip("count():Q", title=unit)],
        )
    )


_GOLDEN_LEGEND_ENTRIES = 6
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
    if len(rates) <= _GOLDEN_LEGEND_ENTRIES:
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


_MATRIX_CELLS_WITH_FIGURES = 10


def matrix(pairs: pl.DataFrame, column: str, measure: Measure) -> alt.LayerChart:
    """`column` is `value` or `ndr`; a click selects `golden` and `proxy`. The diagonal stays empty: no pair is there.

    `pairs`: columns as for `scatter`, nulls where undefined; a null is drawn as a dash.
    """
    names = pairs.select("golden", "golden_flip_rate").unique().sort("golden_flip_rate", "golden")["golden"].to_list()
    base = described(pairs).encode(
        x=alt.X(
            "proxy:N",
            sort=names,
            title="Proxy",
            axis=alt.Axis(
                labelAngle=_angle(names), labelOverlap=len(names) > _MATRIX_CELLS_WITH_FIGURES, labelFlush=False
            ),
        ),
        y=alt.Y("golden:N", sort=names, title="Golden"),
    )
    with_figures = len(names) <= _MATRIX_CELLS_WITH_FIGURES
    scale = alt.Scale(range="heatmap", domain=[0, 1], clamp=True) if column == "ndr" else alt.Scale(range="heatmap")
    legend = None if with_figures else alt.Legend(title=None, orient="top", gradientLength=160, gradientThickness=10)
    cells = (
        base.mark_rect(cursor="pointer", cornerRadius=2)
        .encode(
            color=alt.Color(f"{column}:Q", scale=scale, legend=legend),
            tooltip=tooltip(pairs, measure),
            description=alt.Description("description:N"),
        )
        .add_params(click())
    )
    frame = base.transform_filter("datum.chosen").mark_rect(filled=False, strokeWidth=2.5, cornerRadius=2, aria=False)
    frame = frame.encode(color=alt.ColorValue(INK))
    layers = [cells, frame]
    if with_figures:
        label = f"isValid(datum.{column}) ? format(datum.{column}, '.2f') : '–'"
        figures = base.transform_calculate(label=label).mark_text(fontSize=13, aria=False)
        layers.append(figures.encode(text=alt.Text("label:N"), color=alt.ColorValue(INK)))
    return layered(layers, height=HEIGHT, padding={"bottom": 4})


def _angle(names: list[str]) -> int:
    """Upright labels need the height that long or many names would take from the cells: those are turned."""
    return 0 if len(names) * max(map(len, names)) <= 30 else -45


PANEL_HEIGHT = 230


def panels(pairs: pl.DataFrame, captions: Mapping[str, str], measure: Measure) -> list[alt.LayerChart]:
    """One panel per key of `captions`, which stands under its name.

    `pairs`: columns as for `scatter`, without nulls, and `category`.
    """
    x = alt.X("value:Q", title=measure.axis, scale=_scale(pairs, "value"), axis=alt.Axis(tickCount=4))
    y = alt.Y("ndr:Q", title="NDR", scale=_scale(pairs, "ndr"), axis=alt.Axis(tickCount=4))
    return [
        _panel(pairs.filter(category=name), measure, x, y, panel_title(name, caption))
        for name, caption in captions.items()
    ]


def panel_title(name: str, caption: str) -> alt.TitleParams:
    """A panel's name with what is said under it. Of a Vega subtitle Streamlit's theme does not know the colour."""
    return alt.TitleParams([name, caption], fontWeight="normal", fontSize=13, lineHeight=17, offset=10)


def _panel(pairs: pl.DataFrame, measure: Measure, x: alt.X, y: alt.Y, title: alt.TitleParams) -> alt.LayerChart:
    frame: dict[str, Any] = {"title": title, "height": PANEL_HEIGHT, "padding": {"bottom": 4}}
    base = alt.Chart(pairs).encode(x=x, y=y)
    if pairs.height > MANY:
        cells = density(pairs, "value", "ndr", measure.axis, "NDR", "pairs")
        cells.encoding.color.legend = None
        return layered([cells], **frame)
    points = base.mark_circle(size=28, opacity=0.7).encode(
        color=golden_colour(pairs, legend=None),
        tooltip=tooltip(pairs, measure),
    )
    layers = [points]
    if pairs["value"].n_unique() > 2:
        fit = base.transform_regression("value", "ndr").mark_line(opacity=SOFT, strokeWidth=1.5, clip=True, aria=False)
        layers.append(fit.encode(x=x, y=y, color=alt.ColorValue(INK)))
    return layered(layers, **frame)


def _scale(pairs: pl.DataFrame, column: str) -> alt.Scale:
    """From the least to the greatest of all panels: what is common is what makes them comparable."""
    domain = pairs.select(pl.col(column).min().alias("least"), pl.col(column).max().alias("most")).row(0)
    return alt.Scale(domain=list(domain), zero=False, padding=6) if None not in domain else alt.Scale(zero=False)
