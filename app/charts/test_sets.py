"""A correlation in each cell of a table, its interval printed below it.

A correlation along responses per prompt, a line a series with its band; and the best split of each measure.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from app.charts.style import INK, layered

_GRID_ROW = 62
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
    return layered(layers, height=_GRID_ROW * len(down[2]) + 20, padding={"bottom": 4})


SPLITS_HEIGHT = 320
_SPLIT_ROW = 26
_TICKS = 12


def along_responses(points: pl.DataFrame, order: Sequence[str], y_title: str) -> alt.LayerChart:
    """`points`: columns `series, responses, prompts, value, low, high`; `order` are the series, the first boldest."""
    counts = points["responses"].unique().sort().to_list()
    ticks = alt.Axis(values=counts, format="d", grid=False) if len(counts) <= _TICKS else alt.Axis(tickMinStep=1)
    several = len(order) > 1
    base = alt.Chart(points.drop_nulls("value")).encode(
        x=alt.X("responses:Q", title="Responses per prompt", axis=ticks, scale=alt.Scale(zero=False, padding=12)),
        color=alt.Color(
            "series:N",
            sort=list(order),
            legend=alt.Legend(title=None, orient="top", labelLimit=320, symbolOpacity=1) if several else None,
        ),
        tooltip=[alt.Tooltip("series:N", title="Series"), *_tooltips(y_title)],
    )
    y = alt.Y("value:Q", title=y_title, axis=alt.Axis(tickCount=6, format=".1f"))
    return layered(
        [
            base.mark_area(opacity=0.14).encode(y=alt.Y("low:Q", title=y_title), y2=alt.Y2("high:Q")),
            base.mark_line(strokeWidth=2).encode(y=y),
            base.mark_circle(size=60, opacity=1).encode(y=y),
        ],
        height=SPLITS_HEIGHT,
        padding={"bottom": 4},
    )


def best_splits(rows: pl.DataFrame, x_title: str) -> alt.LayerChart:
    """`rows`: columns `title, responses, prompts, value, low, high`, the best first."""
    base = alt.Chart(rows).encode(
        y=alt.Y(
            "title:N",
            sort=rows["title"].to_list(),
            title=None,
            axis=alt.Axis(labelLimit=170, labelPadding=6, labelOverlap=False, labelFlush=False),
        ),
        tooltip=[alt.Tooltip("title:N", title="Measure"), *_tooltips(x_title)],
    )
    scale = alt.Scale(zero=False, padding=8)
    x = alt.X("value:Q", title=x_title, scale=scale, axis=alt.Axis(tickCount=5, format=".1f"))
    return layered(
        [
            base.mark_bar(height=2).encode(x=alt.X("low:Q", title=x_title, scale=scale), x2=alt.X2("high:Q")),
            base.mark_circle(size=80, opacity=1).encode(x=x),
        ],
        height=_SPLIT_ROW * rows.height,
        padding={"bottom": 4},
    )


def _tooltips(title: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("responses:Q", title="Responses per prompt"),
        alt.Tooltip("prompts:Q", title="Prompts"),
        alt.Tooltip("value:Q", title=title, format=".3f"),
        alt.Tooltip("low:Q", title="95% from", format=".3f"),
        alt.Tooltip("high:Q", title="to", format=".3f"),
        alt.Tooltip("undefined_pairs:Q", title="Pairs undefined"),
    ]
