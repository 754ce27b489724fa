"""Charts of the Choose page: reward models in their order, how sure each beats each, and where each fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from app.charts.models import height, is_named, label_angle, model_rows
from app.charts.remembered import remembered
from app.charts.style import INK, SOFT, Field, axis, cells, layered, rows, tooltips
from app.components.formats import COUNT, FIGURE, SHARE, SHORT

_CELLS_WITH_FIGURES = 8
_HIGH_ROWS = 24
_UPRIGHT = 6
_ROW, _AROUND = 22, 110
_FEWEST_PIXELS = 180
_LETTER = 8
_LABEL = 15
"""Width of a group's letter right of the chart, and height of a line's label above it."""


@remembered
def ranked(
    ranking: pl.DataFrame, title: str, baselines: Sequence[tuple[str, float]], *, format_: str = SHORT
) -> alt.LayerChart:
    """What each reward model is worth, the best above, with the interval that holds for all at once.

    `ranking`: columns `reward_model, value, low, high, together_low, together_high, group, first`, perhaps `ndr`,
    `gain_per_nat` and `efficiency`; `first` says who may be best, and those are opaque. The thick bar is a reward
    model's own interval. `baselines` are labelled lines across.
    """
    names = ranking["reward_model"].to_list()
    x = alt.X("value:Q", title=title, scale=alt.Scale(zero=False, padding=12), axis=axis(5, format_))
    titles = {"ndr": "NDR", "gain_per_nat": "Gain per nat, sd", "efficiency": "Efficiency"}
    further: list[Field] = [
        (name, words, FIGURE) for name, words in titles.items() if name in ranking and ranking[name].null_count() == 0
    ]
    base = alt.Chart(ranking).encode(
        y=model_rows(names),
        opacity=alt.OpacityValue(0.5, condition={"test": "datum.first", "value": 1}),
        tooltip=tooltips(
            ("reward_model", "Reward model"),
            ("value", title, FIGURE),
            ("together_low", "95% from, all at once", FIGURE),
            ("together_high", "to, all at once", FIGURE),
            ("low", "95% from, alone", FIGURE),
            ("high", "to, alone", FIGURE),
            ("group", "Groups"),
            *further,
        ),
    )
    letters = base.mark_text(align="left", dx=8, fontSize=12, aria=False)
    layers = [
        *_lines(baselines),
        _bar(base, x, "together_low", "together_high", thickness=2),
        _bar(base, x, "low", "high", thickness=6),
        base.mark_circle(size=95).encode(x=x),
    ]
    if is_named(names):
        layers.append(letters.encode(x=alt.XValue("width"), text=alt.Text("group:N"), color=alt.ColorValue(INK)))
    right = 16 + _LETTER * max((len(group or "") for group in ranking["group"]), default=0)
    return layered(
        layers, height=height(names), padding={"bottom": 4, "top": 4 + _LABEL * len(baselines), "right": right}
    )


@remembered
def chances(
    pairs: pl.DataFrame, names: Sequence[str], *, what: str = "A's policy is worth more: probability"
) -> alt.LayerChart:
    """How probable it is that the row's policy is worth more than the column's; the diagonal is empty.

    `pairs`: columns `reward_model, other, beats, p`, and perhaps `better`; `what` says in words what `beats` is.
    """
    better: list[Field] = [("better", "A's pick is better: share of prompts", SHARE)] if "better" in pairs else []
    labels: dict[str, Any] = {"labelOverlap": len(names) > _HIGH_ROWS, "labelLimit": 120}
    base = alt.Chart(pairs).encode(
        x=alt.X("other:N", sort=list(names), title="B", axis=alt.Axis(labelAngle=label_angle(list(names)), **labels)),
        y=alt.Y("reward_model:N", sort=list(names), title="A", axis=alt.Axis(**labels)),
        tooltip=tooltips(
            ("reward_model", "A"),
            ("other", "B"),
            ("beats", what, FIGURE),
            *better,
            ("p", "p, all at once", FIGURE),
        ),
    )
    scale = alt.Scale(range="heatmap", domain=[0, 1])
    pixels = max(_FEWEST_PIXELS, _AROUND + _ROW * len(names))
    return layered(cells(base, "beats", scale, figures=len(names) <= _CELLS_WITH_FIGURES), height=min(pixels, 640))


@remembered
def parts(
    frame: pl.DataFrame, names: Sequence[str], columns: Sequence[str], *, title: str, format_: str = SHORT
) -> alt.LayerChart:
    """A figure `value` of each reward model in each `part`, with its interval in the tooltip.

    `frame`: columns `reward_model, part, prompts, value, low, high`.
    """
    base = alt.Chart(frame).encode(
        x=alt.X(
            "part:N", sort=list(columns), title=None, axis=alt.Axis(labelAngle=-45 if len(columns) > _UPRIGHT else 0)
        ),
        y=_rows(names),
        tooltip=tooltips(
            ("reward_model", "Reward model"),
            ("part", "On"),
            ("prompts", "Prompts", COUNT),
            ("value", title, FIGURE),
            ("low", "95% from", FIGURE),
            ("high", "to", FIGURE),
        ),
    )
    return _heat(base, names, columns, format_)


@remembered
def thirds(frame: pl.DataFrame, names: Sequence[str], order: Sequence[str]) -> alt.LayerChart:
    """The share of each reward model's picks in each third of a prompt's responses.

    `frame`: columns `reward_model, part, value, low, high, gain`.
    """
    base = alt.Chart(frame).encode(
        x=alt.X("part:N", sort=list(order), title=None, axis=alt.Axis(labelAngle=0)),
        y=_rows(names),
        tooltip=tooltips(
            ("reward_model", "Reward model"),
            ("part", "Picks from the"),
            ("value", "Share of picks", SHARE),
            ("low", "95% from", SHARE),
            ("high", "to", SHARE),
            ("gain", "Golden above a prompt's mean", FIGURE),
        ),
    )
    return _heat(base, names, order, SHARE)


@remembered
def ranks(frame: pl.DataFrame, names: Sequence[str], columns: Sequence[str]) -> alt.LayerChart:
    """The rank of each reward model by an outcome and by measures, one column each; the best are darkest.

    `frame`: columns `reward_model, part, rank, measured, tau`.
    """
    labels: dict[str, Any] = {"labelOverlap": False, "labelLimit": 160}
    base = alt.Chart(frame).encode(
        x=alt.X("part:N", sort=list(columns), title=None, axis=alt.Axis(labelAngle=-45, **labels)),
        y=_rows(names),
        tooltip=tooltips(
            ("reward_model", "Reward model"),
            ("part", "By"),
            ("rank", "Rank", COUNT),
            ("measured", "Figure", FIGURE),
            ("tau", "Kendall τ with the outcome", FIGURE),
        ),
    )
    scale = alt.Scale(range="heatmap", reverse=True)
    shades = cells(base, "rank", scale, figures=False)[0]
    layers = [shades]
    if len(names) <= _HIGH_ROWS:
        label = base.transform_calculate(label="isValid(datum.rank) ? datum.rank : '–'").mark_text(
            fontSize=12, aria=False
        )
        layers.append(label.encode(text=alt.Text("label:N"), color=alt.ColorValue(INK)))
        shades.encoding.color.legend = None
    return layered(layers, height=_heat_height(names))


def _rows(names: Sequence[str]) -> alt.Y:
    """A row for each reward model; of many, not every one is named."""
    overlap = not is_named(names)
    return rows("reward_model", names, limit=170, labelOverlap=overlap, labelFlush=False, grid=False)


def _heat(base: alt.Chart, names: Sequence[str], columns: Sequence[str], format_: str) -> alt.LayerChart:
    figures = len(names) <= _HIGH_ROWS and len(columns) <= _CELLS_WITH_FIGURES
    layers = cells(base, "value", alt.Scale(range="heatmap"), figures=False)
    if figures:
        label = f"isValid(datum.value) ? format(datum.value, '{format_}') : '–'"
        text = base.transform_calculate(label=label).mark_text(fontSize=12, aria=False)
        layers = [layers[0], text.encode(text=alt.Text("label:N"), color=alt.ColorValue(INK))]
        layers[0].encoding.color.legend = None
    return layered(layers, height=_heat_height(names))


def _heat_height(names: Sequence[str]) -> int:
    """Of many reward models, lower rows."""
    return max(
        _FEWEST_PIXELS,
        _AROUND + (_ROW if len(names) <= _HIGH_ROWS else 15 if is_named(names) else 9) * len(names),
    )


def _bar(base: alt.Chart, x: alt.X, low: str, high: str, *, thickness: int) -> alt.Chart:
    return base.mark_bar(height=thickness).encode(
        x=alt.X(f"{low}:Q", scale=x["scale"], title=x["title"]), x2=alt.X2(f"{high}:Q")
    )


def _lines(baselines: Sequence[tuple[str, float]]) -> list[alt.Chart]:
    """Lines down the chart, labelled above it, each at its own height."""
    layers = []
    for place, (label, value) in enumerate(baselines):
        marks = alt.Chart(alt.InlineData(values=[{"at": value, "label": label}])).encode(
            x=alt.X("at:Q"), color=alt.ColorValue(INK)
        )
        rule = marks.mark_rule(strokeDash=[5, 4], opacity=SOFT, strokeWidth=1.5)
        text = marks.mark_text(align="left", dx=-2, dy=-4 - _LABEL * place, fontSize=12, aria=False, baseline="bottom")
        layers.append(rule.encode(tooltip=tooltips(("label", "Length alone"), ("at", "Reaches", FIGURE))))
        layers.append(text.encode(y=alt.YValue(0), text=alt.TextValue(label)))
    return layers
