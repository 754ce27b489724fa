"""Charts with a row or a line for each reward model, coloured by how it was trained, and heat maps of their pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from app.charts.remembered import remembered
from app.charts.style import (
    INK,
    Field,
    axis,
    cells,
    gradient_legend,
    interval_dots,
    layered,
    reference_line,
    rows,
    tooltips,
    top_legend,
    with_interval,
)
from app.components.formats import COUNT, EXACT_SHARE, FIGURE, SHARE, SHORT, STEP

_FEW_ROWS = 30
_MANY_ROWS = 60
"""Up to this many rows are high enough for a label each."""
_AROUND_ROWS = 130
_LEGEND_ENTRIES = 6
_CELLS_WITH_FIGURES = 8  # in the half of a narrow page
_KINDS_IN_A_ROW = 4
_WITH_NAMES = 40
_SQUARE_HEIGHT = 420
_TRAINING_HEIGHT = 280
_LIVE_HEIGHT = 180
_LEGEND_ROW = 24
_NEEDED_HEIGHT = 320
_EDIT_ROW = 34


def height(names: list[str]) -> int:
    """Height in pixels of a chart with these rows, with its legend and axis."""
    return _AROUND_ROWS + (26 if len(names) <= _FEW_ROWS else 16 if is_named(names) else 9) * len(names)


def is_named(names: Sequence[str]) -> bool:
    """Whether each of these rows has room for a label."""
    return len(names) <= _MANY_ROWS


def model_rows(names: list[str]) -> alt.Y:
    """One row per reward model in this order; of many, not every one is named."""
    return rows("reward_model", names, limit=170, labelOverlap=not is_named(names), grid=len(names) <= _FEW_ROWS)


def _colour(frame: pl.DataFrame) -> alt.Color:
    """By kind where there are several, else by the share of flipped labels. Columns `kind, flip_rate`."""
    kinds = frame["kind"].n_unique()
    if kinds > 1:
        columns = 2 if kinds > _KINDS_IN_A_ROW else alt.Undefined  # in one row they would end beyond a narrow chart
        return alt.Color("kind:N", legend=top_legend("Trained with other", columns=columns))
    rates = frame["flip_rate"].drop_nulls().unique().sort().to_list()
    if not rates:
        return alt.Color("kind:N", legend=None)
    return alt.Color("flip_rate:Q", scale=flip_scale(rates), legend=flip_legend(rates, "Labels flipped"))


def flip_scale(rates: list[float]) -> alt.Scale:
    """The ramp of colours for shares of flipped labels, sorted."""
    return alt.Scale(range="diverging", domain=[rates[0], rates[-1]] if len(rates) > 1 else alt.Undefined)


def flip_legend(rates: list[float], title: str) -> alt.Legend:
    """Its legend: an entry for each of few shares, a ramp for many."""
    legend = top_legend(title, format=SHARE, direction="horizontal")
    if len(rates) <= _LEGEND_ENTRIES:
        legend.type, legend.values, legend.symbolOpacity = "symbol", rates, 0.85
    else:
        legend.gradientLength, legend.gradientThickness = 200, 8
    return legend


def _trained(frame: pl.DataFrame) -> list[Field]:
    """What hovering says about the reward model of a mark."""
    fields: list[Field] = [("reward_model", "Reward model"), ("kind", "Kind")]
    if frame["flip_rate"].null_count() == 0:  # the browser would show null as 0 %
        fields.append(("flip_rate", "Labels flipped", SHARE))
    return fields


@remembered
def dots(
    figures: pl.DataFrame, names: list[str], title: str, *, reference: float | None = None, format_: str = SHORT
) -> alt.LayerChart:
    """A figure of each reward model with its interval; a dashed line at `reference`.

    `figures`: columns `reward_model, kind, flip_rate, value, low, high`. An undefined figure leaves its row empty.
    """
    base = alt.Chart(figures.drop_nulls("value")).encode(
        y=model_rows(names),
        color=_colour(figures),
        tooltip=tooltips(*_trained(figures), *with_interval("value", title)),
    )
    x = alt.X("value:Q", title=title, scale=alt.Scale(zero=False, padding=12), axis=axis(5, format_))
    line = [] if reference is None else [reference_line("x", reference)]
    return layered([*line, *interval_dots(base, x)], height=height(names))


@remembered
def distribution(shares: pl.DataFrame, names: list[str]) -> alt.Chart:
    """How the scores of each reward model spread: a strip of shades from low scores to high.

    `shares`: columns `reward_model, least, greatest, share`.
    """
    color = alt.Color(
        "share:Q",
        scale=alt.Scale(range="heatmap", domainMin=0),
        legend=gradient_legend("Share of responses", format=SHARE),
    )
    return (
        alt.Chart(shares, height=height(names), padding={"bottom": 4})
        .mark_rect()
        .encode(
            x=alt.X(
                "least:Q",
                bin=alt.Bin(binned=True),
                title="Standardised score (sd)",
                axis=alt.Axis(values=[-3, -2, -1, 0, 1, 2, 3], format="~f", grid=False),
            ),
            x2=alt.X2("greatest:Q"),
            y=model_rows(names),
            color=color,
            tooltip=tooltips(
                ("reward_model", "Reward model"),
                ("least", "Standardised score from", SHORT),
                ("greatest", "to", SHORT),
                ("share", "Share of responses", EXACT_SHARE),
            ),
        )
    )


@remembered
def square(
    pairs: pl.DataFrame,
    names: list[str],
    *,
    down: tuple[str, str],
    across: tuple[str, str],
    title: str,
    domain: tuple[float, float] | None = None,
) -> alt.LayerChart:
    """A heat map of all ordered pairs of reward models; the diagonal is empty. Shades span `domain`, or the values.

    `down` and `across` are (column, axis title); `pairs` also has `value, low, high`, null where undefined.
    """
    overlap: dict[str, Any] = {"labelOverlap": len(names) > _WITH_NAMES, "labelLimit": 120}
    angle = label_angle(names)
    base = alt.Chart(pairs).encode(
        x=alt.X(f"{across[0]}:N", sort=names, title=across[1], axis=alt.Axis(labelAngle=angle, **overlap)),
        y=alt.Y(f"{down[0]}:N", sort=names, title=down[1], axis=alt.Axis(**overlap)),
        tooltip=tooltips(down, across, *with_interval("value", title)),
    )
    scale = alt.Scale(range="heatmap", domain=list(domain), clamp=True) if domain else alt.Scale(range="heatmap")
    return layered(cells(base, "value", scale, figures=len(names) <= _CELLS_WITH_FIGURES), height=_SQUARE_HEIGHT)


@remembered
def reactions(changes: pl.DataFrame, edits: list[str], chosen: str) -> alt.LayerChart:
    """How much each edit of a response changes the scores: a row an edit, a dot a reward model, the chosen one ringed.

    `changes`: columns `reward_model, kind, flip_rate, edit, value, low, high`; the chosen one has its interval.
    """
    title = "Change of the score (sd within prompts)"
    base = alt.Chart(changes).encode(
        y=rows("edit", edits, limit=170, every=True, grid=True),
        tooltip=tooltips(*_trained(changes), ("edit", "Edit"), *with_interval("value", title)),
    )
    x = alt.X("value:Q", title=title, scale=alt.Scale(zero=True, padding=12), axis=axis(5, SHORT))
    layers = [reference_line("x", 0.0), base.mark_circle(size=70, opacity=0.65).encode(x=x, color=_colour(changes))]
    if chosen in changes["reward_model"]:  # Vega warns of a layer without a row
        own = base.transform_filter(alt.FieldEqualPredicate(equal=chosen, field="reward_model"))
        layers += [
            own.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"), color=alt.ColorValue(INK)),
            own.mark_point(size=130, strokeWidth=2.5, opacity=1).encode(x=x, color=alt.ColorValue(INK)),
        ]
    return layered(layers, height=_AROUND_ROWS + _EDIT_ROW * len(edits))


def label_angle(names: list[str]) -> int:
    """Long or many names are turned, as upright labels would leave too little width to the cells."""
    return -45 if len(names) * max(map(len, names), default=0) > 30 else 0


@remembered
def training(
    curves: pl.DataFrame, title: str, chosen: str | None = None, x_title: str = "Optimiser steps"
) -> alt.LayerChart:
    """A figure along training, a line for each reward model; the chosen one's is the boldest.

    `curves`: columns `reward_model, kind, flip_rate, step, value`.
    """
    base = alt.Chart(curves).encode(
        x=alt.X("step:Q", title=x_title, axis=axis(format_=STEP, grid=False)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=axis(5, SHORT)),
        detail=alt.Detail("reward_model:N"),
        color=_colour(curves),
        tooltip=tooltips(*_trained(curves), ("step", "Steps", COUNT), ("value", title, FIGURE)),
    )
    layers = [base.mark_line(strokeWidth=1.5, opacity=0.55), base.mark_circle(size=28, opacity=0.8)]
    if chosen is not None and chosen in curves["reward_model"]:
        bold = base.transform_filter(alt.FieldEqualPredicate(equal=chosen, field="reward_model"))
        layers.insert(1, bold.mark_line(strokeWidth=3.5))
    legend = _LEGEND_ROW * (curves["kind"].n_unique() // 2)
    return layered(layers, height=_TRAINING_HEIGHT + legend)


@remembered
def losses(curves: pl.DataFrame) -> alt.LayerChart:
    """Losses of one reward model. `curves`: columns `step, pairs, value`; `pairs` says over which."""
    base = alt.Chart(curves).encode(
        x=alt.X("step:Q", title="Optimiser steps", axis=axis(format_=STEP, grid=False)),
        y=alt.Y("value:Q", title="Loss (nats per pair)", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        color=alt.Color("pairs:N", legend=top_legend("Pairs")),
        tooltip=tooltips(("pairs", "Pairs"), ("step", "Steps", COUNT), ("value", "Loss", FIGURE)),
    )
    lines = base.mark_line(strokeWidth=2.5).encode(strokeDash=alt.StrokeDash("pairs:N", legend=top_legend("Pairs")))
    return layered([lines, base.mark_circle(size=40, opacity=1)], height=_TRAINING_HEIGHT)


@remembered
def prompts_needed(needed: pl.DataFrame, detectable: float | None, prompts: int, per_prompt: str) -> alt.LayerChart:
    """Prompts by the difference that they show, a line for each number of responses; a dot where the run is now.

    `needed`: columns `responses, difference, prompts`. `per_prompt` is the title of the numbers.
    """
    base = alt.Chart(needed.drop_nulls("prompts")).encode(
        x=alt.X(
            "difference:Q",
            title="Difference to show",
            scale=alt.Scale(type="log", nice=False),
            axis=alt.Axis(values=[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1], format="~f", grid=False),
        ),
        y=alt.Y(
            "prompts:Q",
            title="Prompts",
            scale=alt.Scale(type="log"),
            axis=alt.Axis(values=[10**power for power in range(1, 8)], format="~s"),
        ),
        color=alt.Color("responses:O", legend=top_legend(per_prompt, symbolStrokeWidth=3, columns=3)),
        tooltip=tooltips(
            ("responses", per_prompt, COUNT), ("difference", "Difference", FIGURE), ("prompts", "Prompts", COUNT)
        ),
    )
    layers = [base.mark_line(strokeWidth=2.5), base.mark_circle(size=24)]
    if detectable is not None:
        now = alt.Chart(alt.InlineData(values=[{"difference": detectable, "prompts": prompts}])).encode(
            x=alt.X("difference:Q"),
            y=alt.Y("prompts:Q"),
            color=alt.ColorValue(INK),
            tooltip=tooltips(("difference", "Smallest that shows now", FIGURE), ("prompts", "Prompts now", COUNT)),
        )
        layers.append(now.mark_point(size=130, shape="diamond", filled=True, opacity=1))
    return layered(layers, height=_NEEDED_HEIGHT)


def live(points: pl.DataFrame, title: str) -> alt.LayerChart:
    """Training in progress: one metric, called `title`, along the steps, a line for each policy, the newest boldest.

    `points`: columns `model, newest, step, value`.
    """
    base = alt.Chart(points).encode(
        x=alt.X("step:Q", title="Steps", axis=axis(5, STEP, tickMinStep=1, grid=False)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4)),
        detail=alt.Detail("model:N"),
        opacity=alt.Opacity("newest:N", scale=alt.Scale(domain=[False, True], range=[0.35, 1.0]), legend=None),
        tooltip=tooltips(("model", "Policy"), ("step", "Steps", COUNT), ("value", title, FIGURE)),
    )
    return layered([base.mark_line(strokeWidth=2), base.mark_circle(size=30)], height=_LIVE_HEIGHT)
