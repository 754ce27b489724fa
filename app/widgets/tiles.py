"""The four correlations of measure and NDR, each with its interval."""

from __future__ import annotations

import streamlit as st

from app import frames, wording
from app.charts.interval import interval
from app.formats import number
from warehouse.measures import Evaluation

_HELP = {
    "kendall": "Rank correlation τ-b of the measure and NDR over all defined golden–proxy pairs.",
    "spearman": "Rank correlation ρ of the measure and NDR over all defined golden–proxy pairs.",
    "pearson": "Linear correlation r of the measure and NDR over all defined golden–proxy pairs.",
    "mrr": "For each golden, one over the NDR rank of the proxy that the measure likes best; averaged over goldens.",
}


def show(evaluation: Evaluation) -> None:
    """Draw the tiles, and below them what was left out."""
    with st.container(key="tiles"):
        for column, (name, title) in zip(st.columns(4), frames.CORRELATION_TITLES.items(), strict=True):
            estimate = evaluation.correlations[name]
            with column, st.container(border=True, gap="xsmall"):
                st.metric(title, number(estimate.value), help=_HELP[name])
                st.caption(wording.interval(estimate))
                if estimate.value is not None:
                    least = 0 if name == "mrr" else -1
                    chart = interval(estimate.value, estimate.low, estimate.high, least)
                    st.altair_chart(chart, width="stretch", key=f"interval.{name}", alt=f"{title} with its interval")
    if left_out := wording.undefined(evaluation):
        st.caption(left_out)
