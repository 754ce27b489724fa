"""The frame of every figure: its title, the chart or its table, and downloads.

    figure.show("bins", rank_bins(frame), frame, title="…", alt="…", file_name="run-rank-bins", code="rt.…")

Charts are not checked against Vega-Lite's schema, which would take half of a page's time; the tests do it. Files are
made when their button is clicked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import polars as pl
import streamlit as st

from app.charts import export
from app.charts.export import Chart, Look
from app.charts.style import ON_GRIDLINES
from app.components import page_state, trouble
from app.components.columns import defaults as default_columns
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
        specification: dict[str, Any] = self.chart.to_dict(validate=False)
        return specification | {"config": {"axis": ON_GRIDLINES}}


Clicked = tuple[str, Callable[[dict[str, Any]], None]]
"""Name of a chart's selection, and the callback for a click, which takes the fields of the clicked mark."""

NOTHING_TO_DRAW = "Nothing to draw: every figure is undefined here. The table has them all."

_CHART, _TABLE = "Chart", "Table"
_TIMES = "clicks.{}"
_ACROSS = 2
"""How many panels of a figure are side by side."""


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
    code: str = "",
    level: Literal[2, 3] = 2,
) -> None:
    """Draw one figure.

    - `chart`: one chart, or several panels, two side by side, which wrap where there is no room.
    - `frame`: what the chart shows, for the table and the CSV; `columns` its `column_config`; `facts` (run, measure, …)
      are the first columns of the CSV.
    - `title` says what the figure shows, `note` how to read it (both Markdown; escape foreign names), `alt` describes
      it for screen readers; `file_name` has no extension.
    - `clicked`: for a chart with a selection, its name and what a click does.
    - `code`: Python that computes the same in a notebook (`components/code.py`), to copy.
    - `level` of the title's heading: 3 in a part of a page that has a heading of its own.
    """
    charts = [chart] if isinstance(chart, Chart) else list(chart)
    with st.container(key=f"figure-{key}", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", key=f"head-{key}"):
            heading = st.header if level == 2 else st.subheader
            heading(title, anchor=False, width="stretch")
            view = _view(key, title)
            if code:
                _code(key, code)
            csv = partial(export.csv, frame, facts or {})
            _downloads(key, file_name, partial(export.png, charts, title), partial(export.svg, charts, title), csv)
        if note:
            st.caption(note)
        if view == _CHART and len(charts) == 1:
            _chart(f"chart-{key}", key, charts[0], alt, clicked)
        elif view == _CHART:
            with st.container(key=f"panels-{key}"):
                for start in range(0, len(charts), _ACROSS):
                    row = zip(st.columns(_ACROSS), charts[start : start + _ACROSS], strict=False)
                    for number, (column, panel) in enumerate(row, start):
                        with column:
                            _chart(f"chart-{key}-{number}", key, panel, alt, clicked)
        else:
            configuration = {**default_columns(frame), **(columns or {})}
            st.dataframe(
                frame, hide_index=True, column_config=configuration, placeholder=UNDEFINED, key=f"table-{key}", alt=alt
            )


def forget_clicks(*keys: str) -> None:
    """Forget the last click in these figures, as something else has been chosen since.

    A chart keeps its last click and does not report the same one again, so it gets a new key.
    """
    for key in keys:
        counter = _TIMES.format(key)
        st.session_state[counter] = st.session_state.get(counter, 0) + 1


def look() -> Look:
    """Whether the user looks at the light or the dark theme."""
    return "dark" if st.context.theme.type == "dark" else "light"


def _view(key: str, title: str) -> str:
    name = f"view-{key}"
    st.session_state[name] = _TABLE if page_state.is_table(key) else _CHART
    chosen = st.segmented_control(
        f"{title}: chart or table",
        (_CHART, _TABLE),
        required=True,
        key=name,
        on_change=lambda: page_state.show_table(key, shown=st.session_state[name] == _TABLE),
        label_visibility="collapsed",
        width="content",
    )
    return str(chosen or _CHART)


def _code(key: str, code: str) -> None:
    with st.popover("Code", key=f"code-{key}", type="tertiary", help="The same figure in a notebook"):
        st.code(code, language="python")


def _downloads(
    key: str, file_name: str, png: Callable[[Look], bytes], svg: Callable[[Look], bytes], csv: Callable[[], bytes]
) -> None:
    with st.popover("Export", key=f"files-{key}", type="tertiary", help="Download this figure"):
        for extension, mime, make in (
            ("png", "image/png", partial(png, look())),
            ("svg", "image/svg+xml", partial(svg, look())),
            ("csv", "text/csv", csv),
        ):
            st.download_button(
                extension.upper(),
                trouble.noting(f"{file_name}.{extension}", make),
                file_name=f"{file_name}.{extension}",
                mime=mime,
                key=f"{extension}-{key}",
                on_click="ignore",
                width="stretch",
            )


def _chart(name: str, key: str, chart: Chart, alt: str, clicked: Clicked | None) -> None:
    if isinstance(chart.data, pl.DataFrame) and chart.data.is_empty():
        st.info(NOTHING_TO_DRAW)
        return
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
