"""Charts of a reward model's report card: a figure with its interval in rows, and how scores are distributed."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from app.charts.remembered import remembered
from app.charts.style import axis, interval_dots, layered, reference_line, rows, tooltips, with_interval
from app.components.formats import EXACT_SHARE, SHARE, SHORT

_ROW = 22
_HISTOGRAM_HEIGHT = 190


@remembered
def forest(
    figures: pl.DataFrame, title: str, *, references: Sequence[float] = (), format_: str = SHORT
) -> alt.LayerChart:
    """A figure with its interval in each row, in the order of the frame; dashed lines at `references`.

    `figures`: columns `part, value, low, high`. An undefined figure leaves its row empty.
    """
    base = alt.Chart(figures.drop_nulls("value")).encode(
        y=rows("part", figures["part"].to_list(), limit=170, every=True),
        tooltip=tooltips(("part", "On"), *with_interval("value", title, format_)),
    )
    x = alt.X("value:Q", title=title, scale=alt.Scale(zero=False, padding=12), axis=axis(5, format_))
    line = [reference_line("x", *references)] if references else []
    return layered([*line, *interval_dots(base, x)], height=alt.Step(_ROW))


@remembered
def histogram(bins: pl.DataFrame) -> alt.Chart:
    """The share of responses by standardised score. `bins`: columns `least, greatest, share`."""
    return (
        alt.Chart(bins, height=_HISTOGRAM_HEIGHT)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X(
                "least:Q",
                bin=alt.Bin(binned=True),
                title="Standardised score (sd)",
                axis=alt.Axis(values=[-3, -2, -1, 0, 1, 2, 3], format="~f", grid=False),
            ),
            x2=alt.X2("greatest:Q"),
            y=alt.Y("share:Q", title="Share of responses", axis=axis(4, SHARE)),
            tooltip=tooltips(("least", "From", SHORT), ("greatest", "to", SHORT), ("share", "Share", EXACT_SHARE)),
        )
    )
