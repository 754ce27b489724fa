"""Charts handed to Streamlit as they are: not held against Vega-Lite's schema again each time a page is drawn.

That takes half of a page's time, and what charts are made of does not change between the tests, which do it, and here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.charts.export import Chart


def show(chart: Chart, **how: Any) -> None:
    """Draw a chart as wide as its place; `how` are arguments of `st.altair_chart`."""
    drawn: Any = _Unchecked(chart)
    st.altair_chart(drawn, width="stretch", **how)


@dataclass(frozen=True)
class _Unchecked:
    chart: Chart

    def to_dict(self) -> dict[str, Any]:
        """All that Streamlit asks of a chart."""
        found: dict[str, Any] = self.chart.to_dict(validate=False)
        return found
