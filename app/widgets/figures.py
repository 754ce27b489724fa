"""The scatter and the heat map of pairs, side by side; a click in either chooses a pair."""

from __future__ import annotations

import altair as alt
import polars as pl
import streamlit as st

from app import frames
from app.charts.matrix import matrix
from app.charts.pair import CLICK
from app.charts.scatter import scatter
from app.selection import Selection
from app.widgets import choice

_TIMES = "clicks.{}"
_COLUMN = "matrix.column"


def show(pairs: pl.DataFrame, chosen: Selection, measure_title: str) -> None:
    """Draw both figures with the chosen pair ringed."""
    pairs = frames.marked(pairs, chosen.golden, chosen.proxy)
    with st.container(key="figures"):
        left, right = st.columns([7, 5], gap="large")
        with left:
            st.subheader(f"{measure_title} against NDR")
            st.caption("One point a golden–proxy pair; the dashed line is the least-squares fit. Click a point.")
            _clickable("scatter", scatter(frames.defined(pairs), measure_title), f"{measure_title} against NDR")
        with right:
            st.subheader("All pairs")
            st.caption("Golden down, proxy across, by share of flipped labels. Click a cell.")
            column = st.segmented_control(
                "Shown in the cells",
                ["ndr", "error"],
                default="ndr",
                required=True,
                format_func=lambda name: "NDR" if name == "ndr" else measure_title,
                key=_COLUMN,
                label_visibility="collapsed",
            )
            _clickable("matrix", matrix(pairs, column or "ndr", measure_title), "All golden–proxy pairs")


def _clickable(name: str, chart: alt.LayerChart, description: str) -> None:
    """A chart whose click is taken into the choice.

    A chart keeps its last click and is silent about the same one again, so each gets a fresh key whenever the pair is
    chosen elsewhere.
    """
    key = f"{name}.{st.session_state.get(_TIMES.format(name), 0)}"
    st.altair_chart(
        chart,
        width="stretch",
        key=key,
        on_select=lambda: _clicked(name, key),
        selection_mode=[CLICK],
        alt=description,
    )


def _clicked(name: str, key: str) -> None:
    points = st.session_state[key]["selection"].get(CLICK) or []
    if points:
        choice.change(golden=points[0]["golden"], proxy=points[0]["proxy"])
        forget_clicks(other_than=name)


def forget_clicks(other_than: str | None = None) -> None:
    """Let the figures (but one) listen afresh: the pair was chosen elsewhere."""
    for name in ("scatter", "matrix"):
        if name != other_than:
            counter = _TIMES.format(name)
            st.session_state[counter] = st.session_state.get(counter, 0) + 1
