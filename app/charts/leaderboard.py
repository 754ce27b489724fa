"""Measures down, a figure of each across, as a dot with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from app.charts.pairs import panel_title
from app.charts.remembered import remembered
from app.charts.style import (
    Field,
    axis,
    ceiling_lines,
    interval_dots,
    layered,
    reference_line,
    rings,
    rows,
    tooltips,
    top_legend,
    with_interval,
    with_plain,
)
from app.components.formats import FIGURE

_ROW = 26
_LETTERS_ROW = 17  # of one of several optimisers, with the letters of its group
_PANEL_ROW = 20
_LETTER = 8
"""Width of a group's letter, right of the chart."""

_CLEAR = "datum.verdict == 'better' || datum.verdict == 'worse'"


@remembered
def leaderboard(board: pl.DataFrame, order: Sequence[str], column: str, x_title: str) -> alt.LayerChart:
    """`column` is `value` or `difference`, with its interval `low`–`high` or `difference_low`–`difference_high`.

    Values come with a ring at the plain correlation, a line at the noise ceiling of each optimiser, and on the right
    the letters of their groups.
    `board`: as `views.measures.data.rows` returns it; several optimisers are one below the other in a measure's row.
    `order` are the titles from the top.
    """
    policies = board["policies"].n_unique()
    several = policies > 1
    base = alt.Chart(board.drop_nulls(column)).encode(
        y=_measures(order),
        yOffset=alt.YOffset("policies:N", sort=None) if several else alt.Undefined,
        color=alt.Color("policies:N", sort=None, legend=top_legend(direction="vertical") if several else None),
    )
    height = max(_ROW + 8 * several, _LETTERS_ROW * policies) * len(order)
    if column == "difference":
        return _differences(base, x_title, ("policies", "Policies"), height=height)
    x = alt.X("value:Q", title=x_title, scale=alt.Scale(zero=False, padding=8), axis=axis(5))
    base = base.encode(
        tooltip=tooltips(
            ("title", "Measure"),
            ("policies", "Policies"),
            *with_plain("value", x_title),
            ("group", "Group"),
            ("verdict", "Against plain accuracy"),
        )
    )
    letters = base.mark_text(align="left", dx=8, fontSize=12, aria=False)
    layers = [
        *ceiling_lines(board, "x", base.encoding.color.copy(deep=False)),
        *interval_dots(base, x, size=80),
        rings(base, x),
        letters.encode(x=alt.XValue("width"), text=alt.Text("group:N")),
    ]
    right = 16 + _LETTER * max((len(group or "") for group in board["group"]), default=0)
    return layered(layers, height=height, padding={"bottom": 4, "right": right})


@remembered
def where(board: pl.DataFrame, order: Sequence[str], captions: Mapping[str, str], x_title: str) -> list[alt.LayerChart]:
    """The differences of each category, a panel each; those that are neither better nor worse are pale."""
    bounds = board.select(pl.col("difference_low").min(), pl.col("difference_high").max()).row(0)
    domain = [min(0.0, bounds[0]), max(0.0, bounds[1])] if None not in bounds else alt.Undefined
    charts = []
    for name, caption in captions.items():
        base = alt.Chart(board.filter(category=name).drop_nulls("difference")).encode(
            y=_measures(order), opacity=alt.OpacityValue(0.4, condition={"test": _CLEAR, "value": 1})
        )
        # height and title are given at once, as Altair copies a chart for what is added later
        frame = {"title": panel_title(name, caption), "height": _PANEL_ROW * len(order)}
        charts.append(_differences(base, x_title, ("category", "Category"), domain, **frame))
    return charts


def _measures(order: Sequence[str]) -> alt.Y:
    """A row for every measure, also without a figure, so that charts side by side have the same rows."""
    return rows("title", order, limit=150, every=True)


def _differences(
    base: alt.Chart, x_title: str, group: Field, domain: Any = alt.Undefined, **frame: Any
) -> alt.LayerChart:
    x = alt.X("difference:Q", title=x_title, scale=alt.Scale(zero=True, padding=8, domain=domain), axis=axis(5))
    base = base.encode(
        tooltip=tooltips(
            ("title", "Measure"),
            group,
            *with_interval("difference", x_title, bounds="difference_"),
            ("p_difference", "p, all at once", FIGURE),
            ("verdict", "Against plain accuracy"),
        )
    )
    return layered([reference_line("x", 0), *interval_dots(base, x, bounds="difference_", size=80)], **frame)
