"""A correlation in each cell of a table, its interval printed below it."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from app.charts.ink import INK
from app.charts.layers import layered

_ROW = 62
_FIT = alt.ExprRef("bandwidth('x') < 72 ? 8.5 : 11")
"""Size of an interval's letters: on a phone the cells are narrow."""


def grid(
    cells: pl.DataFrame,
    *,
    down: tuple[str, str, Sequence[str]],
    across: tuple[str, str, Sequence[str]],
    title: str,
) -> alt.LayerChart:
    """`down` and `across` are (column, axis title, order), both of texts; an undefined cell is a dash.

    `cells` also has `value, low, high, prompts, rl_prompts, undefined_pairs`.
    """
    base = alt.Chart(cells).encode(
        x=alt.X(
            f"{across[0]}:N",
            sort=list(across[2]),
            title=across[1],
            axis=alt.Axis(orient="top", labelAngle=0, labelOverlap=False, labelFlush=False, labelLimit=90),
        ),
        y=alt.Y(f"{down[0]}:N", sort=list(down[2]), title=down[1], axis=alt.Axis(labelLimit=90)),
    )
    shades = base.mark_rect(cornerRadius=2).encode(
        color=alt.Color("value:Q", scale=alt.Scale(range="heatmap"), legend=None),
        tooltip=[
            alt.Tooltip(f"{down[0]}:N", title=down[1]),
            alt.Tooltip(f"{across[0]}:N", title=across[1]),
            alt.Tooltip("value:Q", title=title, format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
            alt.Tooltip("prompts:Q", title="RM-test prompts"),
            alt.Tooltip("rl_prompts:Q", title="RL-test prompts"),
            alt.Tooltip("undefined_pairs:Q", title="Pairs undefined"),
        ],
    )
    figure = "isValid(datum.value) ? format(datum.value, '.2f') : '–'"
    interval = "isValid(datum.low) ? format(datum.low, '.2f') + ' to ' + format(datum.high, '.2f') : 'undefined'"
    texts = base.transform_calculate(figure=figure, interval=interval).encode(color=alt.ColorValue(INK))
    layers = [
        shades,
        texts.mark_text(fontSize=15, dy=-8, aria=False).encode(text=alt.Text("figure:N")),
        texts.mark_text(fontSize=_FIT, dy=10, aria=False).encode(text=alt.Text("interval:N")),
    ]
    return layered(layers, height=_ROW * len(down[2]) + 20, padding={"bottom": 4})
