"""What the charts of reward models share: rows that stay readable for many, and one colour for how each was trained."""

from __future__ import annotations

import altair as alt
import polars as pl

_FEW_ROWS = 30
_AROUND_ROWS = 130
_LEGEND_ENTRIES = 6


def rows(names: list[str]) -> alt.Y:
    """One row per reward model in this order; of many, not every one is named."""
    axis = alt.Axis(labelLimit=170, labelPadding=6, labelOverlap=len(names) > _FEW_ROWS, grid=len(names) <= _FEW_ROWS)
    return alt.Y("reward_model:N", sort=names, title=None, axis=axis)


def height(names: list[str]) -> int:
    """Height for so many rows, in pixels, with what the legend and the axis take of it."""
    return _AROUND_ROWS + (26 if len(names) <= _FEW_ROWS else 9) * len(names)


def colour(frame: pl.DataFrame) -> alt.Color:
    """By kind where there are several, else by the share of flipped labels. Columns `kind, flip_rate`."""
    if frame["kind"].n_unique() > 1:
        return alt.Color("kind:N", legend=alt.Legend(title="Trained with other", orient="top"))
    rates = frame["flip_rate"].drop_nulls().unique().sort().to_list()
    if not rates:
        return alt.Color("kind:N", legend=None)
    legend = alt.Legend(title="Labels flipped", format=".0%", orient="top", direction="horizontal")
    if len(rates) <= _LEGEND_ENTRIES:
        legend.type, legend.values = "symbol", rates
    else:
        legend.gradientLength, legend.gradientThickness = 200, 8
    domain = [rates[0], rates[-1]] if len(rates) > 1 else alt.Undefined
    return alt.Color("flip_rate:Q", scale=alt.Scale(range="diverging", domain=domain), legend=legend)


def trained_tooltips(frame: pl.DataFrame) -> list[alt.Tooltip]:
    """What hovering tells about the reward model of a mark."""
    known = [alt.Tooltip("reward_model:N", title="Reward model"), alt.Tooltip("kind:N", title="Kind")]
    if frame["flip_rate"].count() == len(frame):  # of null the browser would make 0 %
        known.append(alt.Tooltip("flip_rate:Q", title="Labels flipped", format=".0%"))
    return known
