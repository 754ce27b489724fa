"""All golden–proxy pairs at once: a heat map, golden down, proxy across."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.ink import INK
from app.charts.layers import layered
from app.charts.pair import HEIGHT, click, described, tooltip
from warehouse.measures import Measure

_CELLS_WITH_FIGURES = 10


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
            axis=alt.Axis(labelAngle=_angle(names), labelOverlap=len(names) > _CELLS_WITH_FIGURES, labelFlush=False),
        ),
        y=alt.Y("golden:N", sort=names, title="Golden"),
    )
    with_figures = len(names) <= _CELLS_WITH_FIGURES
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
