"""The four correlations of measure and NDR, each with its interval."""

from __future__ import annotations

import streamlit as st

from app import wording
from app.charts.interval import interval
from app.formats import number
from app.widgets import drawing
from warehouse.measures import Evaluation


def show(evaluation: Evaluation, level: str) -> None:
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
