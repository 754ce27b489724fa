"""Explore's figures: the correlations, the scatter and the heat map of pairs; a click in either chooses a pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from app import frames, wording
from app.charts.density import MANY
from app.charts.interval import interval
from app.charts.matrix import matrix
from app.charts.pair import CLICK
from app.charts.panels import panels
from app.charts.scatter import scatter
from app.formats import number
from app.offers import CELLS, Options
from app.state import Selection
from app.widgets import columns, drawing, figure, page_state
from warehouse.measures import Evaluation, Measure

SCATTER, MATRIX = "scatter", "matrix"


def show_correlations(evaluation: Evaluation, level: str) -> None:
    """Draw the tiles at the level `pooled` or `within` goldens, and below them what was left out."""
    with st.container(key="tiles"):
        for column, (name, estimate) in zip(
            st.columns(4), wording.correlations(evaluation, level).items(), strict=True
        ):
            title = wording.correlation(name, level)
            with column, st.container(border=True, gap="xsmall"):
                st.metric(title, number(estimate.value), help=wording.correlation_help(name, level))
                st.caption(wording.interval(estimate))
                if estimate.value is not None:
                    least = 0 if name == "mrr" else -1
                    chart = interval(estimate.value, estimate.low, estimate.high, least)
                    drawing.show(chart, key=f"interval.{name}", alt=f"{title} with its interval")
    if left_out := wording.undefined(evaluation):
        st.caption(left_out)


def show(pairs: pl.DataFrame, chosen: Selection, options: Options, measure: Measure) -> None:
    """Draw both figures with the chosen pair ringed."""
    marked = frames.marked(pairs, chosen.golden, chosen.proxy)
    points = frames.defined(marked)
    shared = {
        "columns": columns.pairs(measure),
        "facts": wording.facts(chosen, options),
    }
    with st.container(key="figures"):
        left, right = st.columns([7, 5], gap="large")
        with left:
            if points.is_empty():
                st.info(wording.nothing_defined(chosen, options))
            else:
                figure.show(
                    SCATTER,
                    scatter(points, measure),
                    pairs,
                    title=f"{measure.title} against NDR",
                    note="One point a golden–proxy pair; the dashed line is the least-squares fit. Click a point.",
                    alt=f"{measure.title} against NDR, one point a golden–proxy pair",
                    file_name=wording.file_name(chosen, options, "pairs"),
                    clicked=None if points.height > MANY else (CLICK, lambda mark: _choose(mark, MATRIX)),
                    **shared,
                )
        with right:
            figure.show(
                MATRIX,
                matrix(marked, chosen.cells, measure),
                pairs,
                title="All pairs",
                note="Golden down, proxy across, by share of flipped labels. Click a cell.",
                alt="All golden–proxy pairs",
                file_name=wording.file_name(chosen, options, "matrix"),
                clicked=(CLICK, lambda mark: _choose(mark, SCATTER)),
                **shared,
            )
            st.segmented_control(
                "Shown in the cells",
                CELLS,
                required=True,
                format_func=lambda name: "NDR" if name == "ndr" else measure.title,
                label_visibility="collapsed",
                **page_state.bound(chosen, "cells", chosen.cells),
            )


def show_by_category(
    evaluations: Mapping[str, Evaluation], models: pl.DataFrame, chosen: Selection, options: Options, measure: Measure
) -> None:
    """Draw the scatter of each category; nothing where there is one category only."""
    pairs = frames.pairs_by_category(evaluations, models)
    if len(evaluations) < 2 or pairs.is_empty():
        return
    name = wording.correlation(chosen.correlation, chosen.level)
    figure.show(
        "categories",
        panels(pairs, wording.panel_captions(evaluations, chosen.correlation, chosen.level), measure),
        pairs,
        title="Category by category",
        note=f"{measure.title} on the test prompts of one category against the same NDR, with {name} and its interval.",
        alt=f"{measure.title} against NDR, a panel for each category",
        file_name=wording.file_name(chosen, options, "categories"),
        columns={"category": "Category", **columns.pairs(measure)},
        facts=wording.facts(chosen, options),
    )


def _choose(mark: dict[str, Any], other: str) -> None:
    page_state.change(Selection, golden=mark["golden"], proxy=mark["proxy"])
    figure.forget_clicks(other)
