"""Figures along the strength of an optimiser: NDR, length of responses, gains with fits, and the Goodhart check."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.remembered import remembered
from app.charts.style import INK, SOFT, axis, banded_line, layered, reference_line, tooltips, top_legend, with_interval
from app.components.formats import AXIS, COUNT, FIGURE, SHARE, SHORT, STEP
from warehouse.claims.policies.endings import LEAST_FINISHED
from warehouse.metrics.catalogue import QUANTITIES
from warehouse.study.regret import Quantity

_HEIGHT = 300
_TALL = 380


@remembered
def ndr(points: pl.DataFrame, strength_title: str, doubling: bool, quantity: Quantity = "ndr") -> alt.LayerChart:
    """NDR with its interval along strengths, with lines at 0 and 1.

    `points`: columns `strength, ndr, low, high, undefined_pairs`; `doubling` puts strengths on a log scale. Column
    `ndr` may hold gains in NDR's place (`quantity`).
    """
    words = QUANTITIES[quantity]
    base = alt.Chart(points.drop_nulls("ndr")).encode(
        x=_strength(points, strength_title, doubling),
        tooltip=tooltips(
            ("strength", strength_title, COUNT),
            *with_interval("ndr", words.short),
            ("undefined_pairs", "Pairs undefined", COUNT),
        ),
    )
    y = alt.Y("ndr:Q", title=words.title, axis=axis())
    lines = (0, 1) if quantity == "ndr" else (0,)
    return layered([reference_line("y", *lines, dashed=False), *banded_line(base, y)], height=_HEIGHT)


@remembered
def lengths(points: pl.DataFrame, strength_title: str, doubling: bool, whole: str, *, unit: str) -> alt.LayerChart:
    """Length of responses along strengths, a line for each reward model; the rows of `whole` are bold, with their band.

    `points`: columns `policies, strength, length, low, high`.
    """
    base = alt.Chart(points).encode(
        x=_strength(points, strength_title, doubling),
        tooltip=tooltips(
            ("policies", "Optimised against"),
            ("strength", strength_title, COUNT),
            *with_interval("length", f"Mean {unit}", AXIS),
        ),
    )
    y = alt.Y("length:Q", title=f"Mean length ({unit})", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=6))
    bold = base.transform_filter(alt.FieldEqualPredicate(equal=whole, field="policies"))
    return layered([*_others(base.encode(y=y), points, whole), *banded_line(bold, y, width=2.5)], height=_HEIGHT)


@remembered
def finished(points: pl.DataFrame, strength_title: str, doubling: bool) -> alt.LayerChart:
    """Share of responses that end along strengths, a line for each reward model; the mean is bold.

    `points`: columns `policies, strength, finished, tokens`, the first `policies` being the mean.
    """
    base = alt.Chart(points).encode(
        x=_strength(points, strength_title, doubling),
        y=alt.Y("finished:Q", title="Finished share", scale=alt.Scale(domain=[0, 1]), axis=axis(format_=SHARE)),
        tooltip=tooltips(
            ("policies", "Optimised against"),
            ("strength", strength_title, COUNT),
            ("finished", "Finished share", SHARE),
            ("tokens", "Mean tokens", AXIS),
        ),
    )
    whole = points["policies"][0]
    bold = base.transform_filter(alt.FieldEqualPredicate(equal=whole, field="policies"))
    layers = [
        reference_line("y", LEAST_FINISHED),
        *_others(base, points, whole),
        bold.mark_line(strokeWidth=2.5, point=True),
    ]
    return layered(layers, height=_HEIGHT)


def _others(base: alt.Chart, points: pl.DataFrame, whole: str) -> list[alt.Chart]:
    """A thin line for each of the policies but the `whole`; none where there are no others, as Vega would warn."""
    if points["policies"].n_unique() == 1:
        return []
    thin = base.transform_filter(f"datum.policies != '{whole}'").mark_line(strokeWidth=1, opacity=0.35)
    return [thin.encode(detail=alt.Detail("policies:N"), color=alt.ColorValue(INK))]


def _strength(points: pl.DataFrame, title: str, doubling: bool) -> alt.X:
    if not doubling:
        whole = {"tickMinStep": 1} if (points["strength"] % 1 == 0).all() else {}
        return alt.X("strength:Q", title=title, axis=axis(format_=STEP, grid=False, **whole))
    ticks = alt.Axis(values=points["strength"].unique().sort().to_list(), format=STEP, grid=False)
    return alt.X("strength:Q", title=title, scale=alt.Scale(type="log", base=2), axis=ticks)


@remembered
def gains(points: pl.DataFrame, lines: pl.DataFrame, x_title: str) -> alt.LayerChart:
    """Overoptimisation curves (Gao et al., arXiv 2210.10760): gain against distance from the initial policy, with fits.

    `points`: columns `curve, strength, distance, gain, low, high`; `lines`, the fits: `curve, distance, gain`.
    """
    x = alt.X("distance:Q", title=x_title, axis=axis())
    y = alt.Y("gain:Q", title="Gain (sd within prompts)", axis=axis())
    order = points["curve"].unique(maintain_order=True).to_list()
    legend = top_legend(direction="vertical", labelLimit=320)
    colour = alt.Color("curve:N", sort=order, scale=alt.Scale(domain=order), legend=legend)
    shape = alt.Shape("curve:N", sort=order, scale=alt.Scale(domain=order), legend=legend)
    base = alt.Chart(points.drop_nulls("gain")).encode(
        x=x,
        color=colour,
        tooltip=tooltips(
            ("curve", "Curve"),
            ("strength", "Strength", COUNT),
            ("distance", "√KL", SHORT),
            *with_interval("gain", "Gain"),
        ),
    )
    layers = [
        reference_line("y", 0, dashed=False),
        base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q")),
        base.mark_point(size=70, filled=True, opacity=1).encode(y=y, shape=shape),
    ]
    if not lines.is_empty():
        fit = alt.Chart(lines).mark_line(strokeWidth=2, strokeDash=[6, 3], opacity=0.8, aria=False)
        layers.insert(1, fit.encode(x=x, y=y, color=colour))
    return layered(layers, height=_TALL)


@remembered
def goodhart(pairs: pl.DataFrame, bins: pl.DataFrame, line: pl.DataFrame) -> alt.LayerChart:
    """The slope of golden on proxy gain against accuracy: pairs, means of bins, and what accuracy alone predicts.

    `pairs`: columns `golden, proxy, accuracy, slope, predicted`; `bins`: `accuracy, slope, low, high, predicted,
    pairs`; `line`, the predicted curve: `accuracy, slope`.
    """
    scale = alt.Scale(zero=False, padding=10)
    x = alt.X("accuracy:Q", title="Accuracy", scale=scale, axis=axis(format_=SHORT))
    y = alt.Y("slope:Q", title="Golden per proxy gain", axis=axis())
    predicted = ("predicted", "Predicted by accuracy", FIGURE)
    points = alt.Chart(pairs).encode(
        x=x,
        y=y,
        tooltip=tooltips(
            ("golden", "Golden"),
            ("proxy", "Proxy"),
            ("accuracy", "Accuracy", FIGURE),
            ("slope", "Slope", FIGURE),
            predicted,
        ),
    )
    curve = alt.Chart(line).mark_line(strokeWidth=1.5, strokeDash=[5, 4], opacity=SOFT, aria=False)
    means = alt.Chart(bins).encode(
        x=x,
        color=alt.ColorValue(INK),
        tooltip=tooltips(
            ("accuracy", "Mean accuracy", FIGURE),
            *with_interval("slope", "Mean slope"),
            predicted,
            ("pairs", "Pairs", COUNT),
        ),
    )
    layers = [
        curve.encode(x=x, y=y, color=alt.ColorValue(INK)),
        points.mark_circle(size=40, opacity=0.45),
        means.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q")),
        means.mark_point(shape="diamond", size=120, filled=True, opacity=1).encode(y=y),
    ]
    return layered(layers, height=_TALL)
