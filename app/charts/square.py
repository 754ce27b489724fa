"""Something of every ordered pair of reward models: a heat map."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.ink import INK
from app.charts.layers import layered

_CELLS_WITH_FIGURES = 12
_WITH_NAMES = 40
HEIGHT = 420


def square(
    pairs: pl.DataFrame,
    names: list[str],
    *,
    down: tuple[str, str],
    across: tuple[str, str],
    title: str,
    domain: tuple[float, float] | None = None,
) -> alt.LayerChart:
    """`down` and `across` are (column, axis title); `pairs` also has `value, low, high`, null where undefined.

    The diagonal stays empty. Shades span `domain`, or the values.
    """
    turned = -45 if len(names) * max(map(len, names), default=0) > 30 else 0
    base = alt.Chart(pairs).encode(
        x=alt.X(
            f"{across[0]}:N",
            sort=names,
            title=across[1],
            axis=alt.Axis(labelAngle=turned, labelOverlap=len(names) > _WITH_NAMES, labelLimit=120),
        ),
        y=alt.Y(
            f"{down[0]}:N",
            sort=names,
            title=down[1],
            axis=alt.Axis(labelOverlap=len(names) > _WITH_NAMES, labelLimit=120),
        ),
    )
    with_figures = len(names) <= _CELLS_WITH_FIGURES
    scale = alt.Scale(range="heatmap", domain=list(domain), clamp=True) if domain else alt.Scale(range="heatmap")
    legend = None if with_figures else alt.Legend(title=None, orient="top", gradientLength=160, gradientThickness=10)
    cells = base.mark_rect(cornerRadius=2).encode(
        color=alt.Color("value:Q", scale=scale, legend=legend),
        tooltip=[
            alt.Tooltip(f"{down[0]}:N", title=down[1]),
            alt.Tooltip(f"{across[0]}:N", title=across[1]),
            alt.Tooltip("value:Q", title=title, format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
        ],
    )
    layers = [cells]
    if with_figures:
        label = "isValid(datum.value) ? format(datum.value, '.2f') : '–'"
        figures = base.transform_calculate(label=label).mark_text(fontSize=13, aria=False)
        layers.append(figures.encode(text=alt.Text("label:N"), color=alt.ColorValue(INK)))
    return layered(layers, height=HEIGHT, padding={"bottom": 4})
