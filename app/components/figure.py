"""Charts handed to Streamlit as they are: not held against Vega-Lite's schema again each time a page is drawn.

That takes half of a page's time, and what charts are made of does not change between the tests, which do it, and here.

The frame of every figure: a title that says what it shows, the chart or its table, and the files to take away.

    figure.show("bins", rank_bins(frame), frame, title="…", alt="…", file_name="run-rank-bins")

Files are made when their button is clicked, not before, so that they cost a page nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from app.charts import export
from app.charts.export import Chart, Look
from app.components.formats import UNDEFINED


def draw(chart: Chart, **how: Any) -> None:
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


Clicked = tuple[str, Callable[[dict[str, Any]], None]]
"""Name of a chart's selection, and what to do, in a callback, with the fields of the mark that was clicked."""

_CHART, _TABLE = "Chart", "Table"
_TIMES = "clicks.{}"


def show(
    key: str,
    chart: Chart | Sequence[Chart],
    frame: pl.DataFrame,
    *,
    title: str,
    alt: str,
    file_name: str,
    note: str = "",
    columns: Mapping[str, Any] | None = None,
    facts: Mapping[str, object] | None = None,
    clicked: Clicked | None = None,
) -> None:
    """Draw one figure.

    - `chart`: one chart, or several panels, which stand side by side and wrap where there is no room.
    - `frame`: what the chart shows, for the table and the CSV; `columns` its `column_config`; `facts` (run, measure, …)
      stand before it in every row of the CSV.
    - `title` says what the figure shows, `note` how to read it (Markdown both; escape foreign names), `alt` the same
      for who cannot see it; `file_name` has no ending.
    - `clicked`: for a chart with a selection, which one and what a click does.
    """
    charts = [chart] if isinstance(chart, Chart) else list(chart)
    with st.container(key=f"figure-{key}", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", key=f"head-{key}"):
            st.subheader(title, anchor=False, width="stretch")
            view = _view(key, title)
            _files(key, charts, frame, title, file_name, facts or {})
        if note:
            st.caption(note)
        if view == _TABLE:
            _table(key, frame, alt, columns)
        else:
            _charts(key, charts, alt, clicked)


def forget_clicks(*keys: str) -> None:
    """Let these figures listen afresh: what a click in them chooses was chosen elsewhere.

    A chart keeps its last click and is silent about the same one again, so it gets a fresh key.
    """
    for key in keys:
        counter = _TIMES.format(key)
        st.session_state[counter] = st.session_state.get(counter, 0) + 1


def look() -> Look:
    """Whether the user looks at the light or the dark theme."""
    return "dark" if st.context.theme.type == "dark" else "light"


def _view(key: str, title: str) -> str:
    chosen = st.segmented_control(
        f"{title}: chart or table",
        (_CHART, _TABLE),
        default=_CHART,
        required=True,
        key=f"view-{key}",
        label_visibility="collapsed",
        width="content",
    )
    return str(chosen or _CHART)


def _files(
    key: str, charts: Sequence[Chart], frame: pl.DataFrame, title: str, file_name: str, facts: Mapping[str, object]
) -> None:
    with st.popover("Export", key=f"files-{key}", type="tertiary", help="This figure as a file"):
        for ending, mime, make in (
            ("png", "image/png", partial(export.png, charts, title, look())),
            ("svg", "image/svg+xml", partial(export.svg, charts, title, look())),
            ("csv", "text/csv", partial(export.csv, frame, facts)),
        ):
            st.download_button(
                ending.upper(),
                make,
                file_name=f"{file_name}.{ending}",
                mime=mime,
                key=f"{ending}-{key}",
                on_click="ignore",
                width="stretch",
            )


def _table(key: str, frame: pl.DataFrame, alt: str, columns: Mapping[str, Any] | None) -> None:
    st.dataframe(
        frame, hide_index=True, column_config=dict(columns or {}), placeholder=UNDEFINED, key=f"table-{key}", alt=alt
    )


def _charts(key: str, charts: Sequence[Chart], alt: str, clicked: Clicked | None) -> None:
    if len(charts) == 1:
        _chart(f"chart-{key}", key, charts[0], alt, clicked)
        return
    with st.container(key=f"panels-{key}"):
        for number, (column, chart) in enumerate(zip(st.columns(len(charts)), charts, strict=True)):
            with column:
                _chart(f"chart-{key}-{number}", key, chart, alt, clicked)


def _chart(name: str, key: str, chart: Chart, alt: str, clicked: Clicked | None) -> None:
    if clicked is None:
        draw(chart, key=name, alt=alt)
        return
    selection, act = clicked
    name = f"{name}.{st.session_state.get(_TIMES.format(key), 0)}"

    def took() -> None:
        marks = st.session_state[name]["selection"].get(selection) or []
        if marks:
            act(marks[0])

    draw(chart, key=name, on_select=took, selection_mode=[selection], alt=alt)
