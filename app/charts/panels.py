"""The scatter once for each category of the test set, small and on common axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from app.charts.density import MANY, density
from app.charts.ink import INK, SOFT
from app.charts.layers import layered
from app.charts.pair import golden_colour, tooltip
from warehouse.measures import Measure

HEIGHT = 230


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
    frame: dict[str, Any] = {"title": title, "height": HEIGHT, "padding": {"bottom": 4}}
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
