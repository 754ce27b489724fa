"""The scatter and the heat map of pairs, side by side; a click in either chooses a pair."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from app import frames, wording
from app.charts.matrix import matrix
from app.charts.pair import CLICK
from app.charts.scatter import scatter
from app.selection import Options, Selection
from app.widgets import choice, columns, figure

SCATTER, MATRIX = "scatter", "matrix"
_COLUMN = "matrix.column"


def show(pairs: pl.DataFrame, chosen: Selection, options: Options, measure_title: str) -> None:
    """Draw both figures with the chosen pair ringed."""
    marked = frames.marked(pairs, chosen.golden, chosen.proxy)
    points = frames.defined(marked)
    shared = {
        "columns": columns.pairs(measure_title),
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
                    scatter(points, measure_title),
                    pairs,
                    title=f"{measure_title} against NDR",
                    note="One point a golden–proxy pair; the dashed line is the least-squares fit. Click a point.",
                    alt=f"{measure_title} against NDR, one point a golden–proxy pair",
                    file_name=wording.file_name(chosen, options, "pairs"),
                    clicked=(CLICK, lambda mark: _choose(mark, MATRIX)),
                    **shared,
                )
        with right:
            column = st.session_state.get(_COLUMN) or "ndr"
            figure.show(
                MATRIX,
                matrix(marked, column, measure_title),
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
                ["ndr", "error"],
                default="ndr",
                required=True,
                format_func=lambda name: "NDR" if name == "ndr" else measure_title,
                key=_COLUMN,
                label_visibility="collapsed",
            )


def _choose(mark: dict[str, Any], other: str) -> None:
    choice.change(golden=mark["golden"], proxy=mark["proxy"])
    figure.forget_clicks(other)
