"""Charts of the Audit page: subsets down, and across what each predicts, how it ranks, and how hard it is."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from app.charts.remembered import remembered
from app.charts.style import (
    INK,
    SOFT,
    Field,
    axis,
    interval_dots,
    layered,
    reference_line,
    rows,
    tooltips,
    with_interval,
)
from app.components.formats import COUNT, FIGURE, SHARE

_ROW, _AXIS = 26, 60
"""Height of a row, and of the axis with its title, which Streamlit takes from a chart's own."""

_LABEL = 78

_ABOUT: tuple[Field, ...] = (("items", "Items", COUNT), ("verdict", "Verdict"))


@remembered
def predictions(subsets: pl.DataFrame, order: Sequence[str], x_title: str) -> alt.LayerChart:
    """How well accuracy on each subset predicts: a dot with its interval, pale where that is not shown.

    `subsets`: columns `name, tau, tau_low, tau_high, p_predicts, predicts, p_difference, items, verdict`; `order` are
    the names from the top.
    """
    base = alt.Chart(subsets.drop_nulls("tau")).encode(
        y=rows("name", order, limit=190, every=True),
        opacity=alt.OpacityValue(0.4, condition={"test": "datum.predicts", "value": 1}),
        tooltip=tooltips(
            ("name", "Subset"),
            *with_interval("tau", x_title, bounds="tau_"),
            ("p_predicts", "p of no prediction", FIGURE),
            ("p_difference", "p of no difference from all items", FIGURE),
            *_ABOUT,
        ),
    )
    x = alt.X("tau:Q", title=x_title, scale=alt.Scale(zero=True, padding=8), axis=axis(5))
    layers = [reference_line("x", 0), *interval_dots(base, x, bounds="tau_", size=80)]
    return layered(layers, height=_AXIS + _ROW * len(order))


@remembered
def reliabilities(subsets: pl.DataFrame, order: Sequence[str]) -> alt.LayerChart:
    """How reliably each subset ranks reward models, with its interval cut at 0, and how many pairs it tells apart.

    `subsets`: columns `name, reliability, reliability_low, reliability_high, reliability_100, apart, items, verdict`.
    """
    known = subsets.drop_nulls("reliability")
    shown = known.with_columns(pl.col("reliability", "reliability_low", "reliability_high").clip(0.0, 1.0))
    base = alt.Chart(shown).encode(
        y=rows("name", order, limit=190, every=True),
        tooltip=tooltips(
            ("name", "Subset"),
            *with_interval("reliability", "Reliability", bounds="reliability_"),
            ("reliability_100", "Of 100 such items", FIGURE),
            ("apart", "Pairs told apart"),
            *_ABOUT,
        ),
    )
    x = alt.X("reliability:Q", title="Reliability", scale=alt.Scale(domain=[0, 1]), axis=axis(5))
    labels = base.mark_text(align="left", dx=8, fontSize=12, aria=False)
    layers = [
        reference_line("x", 0.9),
        *interval_dots(base, x, bounds="reliability_", size=80),
        labels.encode(x=alt.XValue("width"), text=alt.Text("apart:N"), color=alt.ColorValue(INK)),
    ]
    return layered(layers, height=_AXIS + _ROW * len(order), padding={"bottom": 4, "right": _LABEL})


@remembered
def accuracies(by_model: pl.DataFrame, order: Sequence[str]) -> alt.LayerChart:
    """The accuracy of each reward model on each subset, a mark each, and their mean as a dot.

    `by_model`: columns `name, reward_model, accuracy, mean`.
    """
    base = alt.Chart(by_model).encode(y=rows("name", order, limit=190, every=True))
    x = alt.X("accuracy:Q", title="Accuracy", scale=alt.Scale(zero=False, padding=8), axis=axis(5, SHARE))
    fields: list[Field] = [("name", "Subset"), ("reward_model", "Reward model"), ("accuracy", "Accuracy", FIGURE)]
    marks = base.mark_tick(thickness=2, size=16, opacity=SOFT).encode(x=x, tooltip=tooltips(*fields))
    means = alt.Chart(by_model.unique("name", maintain_order=True)).mark_circle(size=80, opacity=1)
    dots = means.encode(
        y=rows("name", order, limit=190, every=True),
        x=alt.X("mean:Q", scale=x["scale"]),
        tooltip=tooltips(("name", "Subset"), ("mean", "Mean accuracy", FIGURE)),
    )
    return layered([reference_line("x", 0.5), marks, dots], height=_AXIS + _ROW * len(order))
