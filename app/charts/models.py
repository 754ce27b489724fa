"""What the charts of reward models share: rows that stay readable for many, and one colour for how each was trained.

One figure of each reward model with its interval, a row each.

How scores spread: for each reward model the share of its responses by standardised score, as a strip of shades.

Something of every ordered pair of reward models: a heat map.

How reward models learnt: a figure against the optimiser steps taken, one line a reward model.

Training while it goes on: one figure against the steps taken, one line a policy; the newest is the boldest.
"""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.style import INK, SOFT, layered

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


def dots(
    figures: pl.DataFrame, names: list[str], title: str, *, reference: float | None = None, format_: str = ".2f"
) -> alt.LayerChart:
    """`figures`: columns `reward_model, kind, flip_rate, value, low, high`; a dashed line stands at `reference`.

    Undefined figures leave their row empty.
    """
    there = figures.drop_nulls("value")
    base = alt.Chart(there).encode(
        y=rows(names),
        color=colour(figures),
        tooltip=[
            *trained_tooltips(figures),
            alt.Tooltip("value:Q", title=title, format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
        ],
    )
    scale = alt.Scale(zero=False, padding=12)
    x = alt.X("value:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5, format=format_))
    layers: list[alt.Chart] = []
    if reference is not None:
        at = alt.Chart(alt.InlineData(values=[{"at": reference}])).encode(x=alt.X("at:Q"), color=alt.ColorValue(INK))
        layers.append(at.mark_rule(strokeDash=[5, 4], opacity=SOFT, aria=False))
    layers += [
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale), x2=alt.X2("high:Q")),
        base.mark_circle(size=90, opacity=1).encode(x=x),
    ]
    return layered(layers, height=height(names), padding={"bottom": 4})


def distribution(shares: pl.DataFrame, names: list[str]) -> alt.Chart:
    """`shares`: columns `reward_model, least, greatest, share`; one strip per name, from low scores to high."""
    return (
        alt.Chart(shares, height=height(names), padding={"bottom": 4})
        .mark_rect()
        .encode(
            x=alt.X(
                "least:Q",
                bin=alt.Bin(binned=True),
                title="Score, standardised by reward model (sd from its mean)",
                axis=alt.Axis(values=[-3, -2, -1, 0, 1, 2, 3], format="~f", grid=False),
            ),
            x2=alt.X2("greatest:Q"),
            y=rows(names),
            color=alt.Color(
                "share:Q",
                scale=alt.Scale(range="heatmap", domainMin=0),
                legend=alt.Legend(
                    title="Share of responses", orient="top", format=".0%", gradientLength=160, gradientThickness=10
                ),
            ),
            tooltip=[
                alt.Tooltip("reward_model:N", title="Reward model"),
                alt.Tooltip("least:Q", title="Standardised score from", format=".2f"),
                alt.Tooltip("greatest:Q", title="to", format=".2f"),
                alt.Tooltip("share:Q", title="Share of responses", format=".1%"),
            ],
        )
    )


_CELLS_WITH_FIGURES = 12
_WITH_NAMES = 40
SQUARE_HEIGHT = 420


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
    return layered(layers, height=SQUARE_HEIGHT, padding={"bottom": 4})


TRAINING_HEIGHT = 280


def training(
    curves: pl.DataFrame, title: str, chosen: str | None = None, x_title: str = "Optimiser steps"
) -> alt.LayerChart:
    """`curves`: columns `reward_model, kind, flip_rate, step, value`. The chosen reward model's line is the boldest."""
    base = alt.Chart(curves).encode(
        x=alt.X("step:Q", title=x_title, axis=alt.Axis(tickCount=6, format="d", grid=False)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5, format=".2f")),
        detail=alt.Detail("reward_model:N"),
        color=colour(curves),
        tooltip=[
            *trained_tooltips(curves),
            alt.Tooltip("step:Q", title="Steps"),
            alt.Tooltip("value:Q", title=title, format=".3f"),
        ],
    )
    bold = base.transform_filter(alt.FieldEqualPredicate(equal=chosen or "", field="reward_model"))
    layers = [
        base.mark_line(strokeWidth=1.5, opacity=0.55),
        bold.mark_line(strokeWidth=3.5),
        base.mark_circle(size=28, opacity=0.8),
    ]
    return layered(layers, height=TRAINING_HEIGHT, padding={"bottom": 4})


def losses(curves: pl.DataFrame) -> alt.LayerChart:
    """Losses of one reward model. `curves`: columns `step, pairs, value`; `pairs` says over which."""
    base = alt.Chart(curves).encode(
        x=alt.X("step:Q", title="Optimiser steps", axis=alt.Axis(tickCount=6, format="d", grid=False)),
        y=alt.Y("value:Q", title="Loss (nats per pair)", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        color=alt.Color("pairs:N", legend=alt.Legend(title="Pairs", orient="top", symbolStrokeWidth=0)),
        tooltip=[
            alt.Tooltip("pairs:N", title="Pairs"),
            alt.Tooltip("step:Q", title="Steps"),
            alt.Tooltip("value:Q", title="Loss", format=".3f"),
        ],
    )
    dashed = alt.StrokeDash("pairs:N", legend=None)
    return layered(
        [base.mark_line(strokeWidth=2.5).encode(strokeDash=dashed), base.mark_circle(size=40, opacity=1)],
        height=TRAINING_HEIGHT,
        padding={"bottom": 4},
    )


LIVE_HEIGHT = 180


def live(points: pl.DataFrame, title: str) -> alt.LayerChart:
    """`points`: columns `model, newest, step, value`, of one metric whose name with its unit is `title`."""
    base = alt.Chart(points).encode(
        x=alt.X("step:Q", title="Steps", axis=alt.Axis(tickCount=5, format="d", tickMinStep=1, grid=False)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4)),
        detail=alt.Detail("model:N"),
        opacity=alt.Opacity("newest:N", scale=alt.Scale(domain=[False, True], range=[0.35, 1.0]), legend=None),
        tooltip=[
            alt.Tooltip("model:N", title="Policy"),
            alt.Tooltip("step:Q", title="Steps"),
            alt.Tooltip("value:Q", title=title, format=".3f"),
        ],
    )
    return layered(
        [base.mark_line(strokeWidth=2), base.mark_circle(size=30)], height=LIVE_HEIGHT, padding={"bottom": 4}
    )
