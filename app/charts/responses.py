"""Charts of scores: those of one prompt, two reward models against each other, and the reliability diagram."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.models import height, is_named
from app.charts.pairs import MANY, density
from app.charts.remembered import remembered
from app.charts.style import INK, SOFT, axis, gradient_legend, layered, tooltips, with_interval
from app.components.formats import COUNT, EXACT_SHARE, FIGURE, SHARE, SHORT


@remembered
def strip(cells: pl.DataFrame, names: list[str]) -> alt.LayerChart:
    """The scores of one prompt's responses: a row for each of these reward models, its pick ringed.

    `cells`: columns `reward_model, response, standard, score, pick, length`.
    """
    shown = cells.filter(pl.col("reward_model").is_in(names))
    numbers = alt.Axis(labelAngle=0, labelOverlap=True)
    base = alt.Chart(shown).encode(
        x=alt.X("response:O", title="Response", axis=numbers),
        y=alt.Y(
            "reward_model:N", sort=names, title=None, axis=alt.Axis(labelLimit=170, labelOverlap=not is_named(names))
        ),
        tooltip=tooltips(
            ("reward_model", "Reward model"),
            ("response", "Response"),
            ("standard", "Standardised score", SHORT),
            ("score", "Score, its own scale", FIGURE),
            ("length", "Length"),
        ),
    )
    shades = base.mark_rect(cornerRadius=2).encode(
        color=alt.Color(
            "standard:Q",
            scale=alt.Scale(range="heatmap", domain=[-2, 2], clamp=True),
            legend=gradient_legend("Standardised score (sd)", format="~f"),
        )
    )
    if not shown["pick"].any():
        return layered([shades], height=height(names))
    ring = base.transform_filter("datum.pick").mark_point(
        shape="circle", size=110, strokeWidth=2, filled=False, opacity=1, aria=False
    )
    return layered([shades, ring.encode(color=alt.ColorValue(INK))], height=height(names))


@remembered
def scores(responses: pl.DataFrame, golden: str, proxy: str) -> alt.LayerChart:
    """Scores of two reward models for the same responses; on the dashed line they are equal.

    `responses`: columns `prompt, category, response, golden_score, proxy_score`, scores in standard deviations.
    """
    titles = f"Score of {golden} (sd)", f"Score of {proxy} (sd)"
    if responses.height > MANY:
        marks = density(responses, "golden_score", "proxy_score", titles, "responses")
    else:
        marks = (
            alt.Chart(responses)
            .mark_circle(size=30, opacity=0.5)
            .encode(
                x=alt.X("golden_score:Q", title=titles[0], axis=alt.Axis(tickCount=7)),
                y=alt.Y("proxy_score:Q", title=titles[1], axis=alt.Axis(tickCount=7)),
                tooltip=tooltips(
                    ("prompt", "Prompt"),
                    ("category", "Category"),
                    ("response", "Response", COUNT),
                    ("golden_score", "Golden", SHORT),
                    ("proxy_score", "Proxy", SHORT),
                ),
            )
        )
    return layered([marks, _diagonal(-3, 3)], height=340)


@remembered
def reliability(bins: pl.DataFrame) -> alt.LayerChart:
    """How sure a reward model is against how often it is right; on the dashed line its confidence is correct.

    `bins`: columns `confidence, right, low, high, pairs`.
    """
    share = axis(format_=SHARE)
    x = alt.X("confidence:Q", title="Confidence σ|b_i − b_j|", scale=alt.Scale(domain=[0.5, 1.0]), axis=share)
    y = alt.Y("right:Q", title="Share ordered right", scale=alt.Scale(domain=[0.0, 1.0]), axis=share)
    base = alt.Chart(bins).encode(
        x=x,
        tooltip=tooltips(
            ("confidence", "Mean confidence", EXACT_SHARE),
            *with_interval("right", "Ordered right", EXACT_SHARE),
            ("pairs", "Golden-ordered pairs", COUNT),
        ),
    )
    spread = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), color=alt.ColorValue(INK))
    line = base.mark_line(strokeWidth=1.5, opacity=0.6).encode(y=y)
    points = base.mark_circle(size=90, opacity=1).encode(y=y)
    return layered([_diagonal(0.5, 1.0), spread, line, points], height=300)


def _diagonal(least: float, most: float) -> alt.Chart:
    line = alt.Chart(alt.InlineData(values=[{"at": least}, {"at": most}])).mark_line(
        strokeDash=[5, 4], strokeWidth=1.5, opacity=SOFT, aria=False, clip=True
    )
    return line.encode(x=alt.X("at:Q"), y=alt.Y("at:Q"), color=alt.ColorValue(INK))
