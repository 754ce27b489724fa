"""Charts of the Test sets page: a table of correlations, correlations by responses, each measure's best split."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from app.charts.remembered import remembered
from app.charts.style import (
    INK,
    Field,
    axis,
    banded_line,
    ceiling_lines,
    interval_dots,
    layered,
    rings,
    rows,
    tooltips,
    top_legend,
    with_plain,
)
from app.components.formats import COUNT, SHORT, STEP

_GRID_ROW = 62
_SPLIT_ROW = 26
_HEIGHT = 320
_TICKS = 12
# On a phone the cells are narrow.
_INTERVAL_SIZE = alt.ExprRef("bandwidth('x') < 72 ? 8.5 : 11")
_LABEL_SIZE = alt.ExprRef("bandwidth('x') < 72 ? 10 : 12")

_UNDEFINED: Field = ("undefined_pairs", "Pairs undefined", COUNT)


@remembered
def grid(
    table: pl.DataFrame, *, down: tuple[str, str, Sequence[str]], across: tuple[str, str, Sequence[str]], title: str
) -> alt.LayerChart:
    """A correlation in each cell of a table with its interval below it; an undefined one is a dash.

    `down` and `across` are (column of texts, axis title, order). `table` also has the columns of
    `access.frames.correlation_of` and `prompts, rl_prompts, undefined_pairs`.
    """
    ticks = alt.Axis(orient="top", labelAngle=0, labelOverlap=False, labelFlush=False, labelLimit=90)
    ticks.labelFontSize = _LABEL_SIZE
    base = alt.Chart(table).encode(
        x=alt.X(f"{across[0]}:N", sort=list(across[2]), title=across[1], axis=ticks),
        y=alt.Y(f"{down[0]}:N", sort=list(down[2]), title=down[1], axis=alt.Axis(labelLimit=90)),
    )
    shades = base.mark_rect(cornerRadius=2).encode(
        color=alt.Color("value:Q", scale=alt.Scale(range="heatmap"), legend=None),
        tooltip=tooltips(
            down[:2],
            across[:2],
            *with_plain("value", title),
            ("prompts", "RM-test prompts", COUNT),
            ("rl_prompts", "RL-test prompts", COUNT),
            _UNDEFINED,
        ),
    )
    low, high = (f"format(datum.{end}, '{SHORT}')" for end in ("low", "high"))
    figure = f"isValid(datum.value) ? format(datum.value, '{SHORT}') : '–'"
    interval = f"isValid(datum.low) ? {low} + ' to ' + {high} : 'undefined'"
    texts = base.transform_calculate(figure=figure, interval=interval).encode(color=alt.ColorValue(INK))
    layers = [
        shades,
        texts.mark_text(fontSize=15, dy=-8, aria=False).encode(text=alt.Text("figure:N")),
        texts.mark_text(fontSize=_INTERVAL_SIZE, dy=10, aria=False).encode(text=alt.Text("interval:N")),
    ]
    return layered(layers, height=_GRID_ROW * len(down[2]) + 20)


@remembered
def along_responses(points: pl.DataFrame, order: Sequence[str], y_title: str) -> alt.LayerChart:
    """A correlation by responses per prompt, a line with its band for each series, in this order.

    A ring is the plain correlation, the line across its noise ceiling. `points`: columns `series, responses, prompts`,
    those of `access.frames.correlation_of`, and `undefined_pairs`.
    """
    counts = points["responses"].unique().sort().to_list()
    ticks = alt.Axis(values=counts, format=STEP, grid=False) if len(counts) <= _TICKS else alt.Axis(tickMinStep=1)
    legend = top_legend(labelLimit=320, symbolOpacity=1) if len(order) > 1 else None
    base = alt.Chart(points.drop_nulls("value")).encode(
        x=alt.X("responses:Q", title="Responses per prompt", axis=ticks, scale=alt.Scale(zero=False, padding=12)),
        color=alt.Color("series:N", sort=list(order), legend=legend),
        tooltip=tooltips(("series", "Series"), *_split(y_title)),
    )
    y = alt.Y("value:Q", title=y_title, axis=axis(), scale=alt.Scale(zero=False))
    plain = base.mark_point(shape="circle", filled=False, size=45, strokeWidth=1.5, opacity=1)
    layers = [*ceiling_lines(points, "y"), *banded_line(base, y, band=0.14), plain.encode(y=alt.Y("sample:Q"))]
    return layered(layers, height=_HEIGHT)


@remembered
def best_splits(splits: pl.DataFrame, x_title: str) -> alt.LayerChart:
    """A row for each measure, with a ring at the plain correlation and a line at its noise ceiling.

    `splits`: columns `title, responses, prompts` and those of `access.frames.correlation_of`, the best first.
    """
    base = alt.Chart(splits).encode(
        y=rows("title", splits["title"].to_list(), limit=170, every=True),
        tooltip=tooltips(("title", "Measure"), *_split(x_title)),
    )
    x = alt.X("value:Q", title=x_title, scale=alt.Scale(zero=False, padding=8), axis=axis(5))
    layers = [*ceiling_lines(splits, "x"), *interval_dots(base, x, size=80), rings(base, x)]
    return layered(layers, height=_SPLIT_ROW * splits.height)


def _split(title: str) -> list[Field]:
    return [
        ("responses", "Responses per prompt", COUNT),
        ("prompts", "Prompts", COUNT),
        *with_plain("value", title),
        _UNDEFINED,
    ]
