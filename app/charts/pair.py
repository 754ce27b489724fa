"""What the charts of golden–proxy pairs share: their data, what hovering tells, and what a click carries."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from warehouse.measures import Measure

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
