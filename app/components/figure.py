"""The frame of every figure: its title, the chart or its table, and downloads.

    figure.show("bins", rank_bins(frame), frame, title="…", alt="…", file_name="run-rank-bins", code="rt.…")

Each figure is a fragment, drawn again without the rest of the page. What its popovers hold is made when they are
opened, and a file when its button is clicked. Charts are not checked against Vega-Lite's schema, which would take half
of a page's time; the tests do it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import altair as alt
import polars as pl
import streamlit as st

from app.charts import export, remembered
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
        """All that Streamlit asks of a chart, whose data it wants in the options of its data transformer."""
        datasets: dict[str, bytes] = alt.data_transformers.options["datasets"]

        def finish() -> remembered.Specification:
            specification: dict[str, Any] = self.chart.to_dict(validate=False)
            return remembered.Specification(specification | {"config": {"axis": ON_GRIDLINES}}, dict(datasets))

        finished = remembered.finished(self.chart, finish)
        datasets.update(finished.datasets)
        return dict(finished.vega_lite)


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
    drawn = _Figure(key, charts, frame, title, alt, file_name, note, columns or {}, facts or {}, clicked, code, level)
    if clicked is None:
        _fragment(drawn)
    else:  # a click is for the whole page
        drawn.show()


@st.fragment
def _fragment(drawn: _Figure) -> None:
    drawn.show()


@dataclass(frozen=True)
class _Figure:
    """One figure, with the arguments of `show`."""

    key: str
    charts: Sequence[Chart]
    frame: pl.DataFrame
    title: str
    alt: str
    file_name: str
    note: str
    columns: Mapping[str, Any]
    facts: Mapping[str, object]
    clicked: Clicked | None
    code: str
    level: Literal[2, 3]

    def show(self) -> None:
        """Draw the title with its controls, the note, and the chart or the table."""
        key = self.key
        with st.container(key=f"figure-{key}", gap="small"):
            with st.container(horizontal=True, vertical_alignment="center", key=f"head-{key}"):
                heading = st.header if self.level == 2 else st.subheader
                heading(self.title, anchor=False, width="stretch")
                view = _view(key, self.title)
                self._code()
                self._files()
            if self.note:
                st.caption(self.note)
            if view == _TABLE:
                self._table()
            elif len(self.charts) == 1:
                self._chart(f"chart-{key}", self.charts[0])
            else:
                self._panels()

    def _code(self) -> None:
        if not self.code:
            return
        with _popover("Code", f"code-{self.key}", "The same figure in a notebook") as popover:
            if popover.open:
                st.code(self.code, language="python")

    def _files(self) -> None:
        with _popover("Export", f"files-{self.key}", "Download this figure") as popover:
            if not popover.open:
                return
            for extension, mime, make in (
                ("png", "image/png", partial(export.png, self.charts, self.title, look())),
                ("svg", "image/svg+xml", partial(export.svg, self.charts, self.title, look())),
                ("csv", "text/csv", partial(export.csv, self.frame, self.facts)),
            ):
                st.download_button(
                    extension.upper(),
                    trouble.noting(f"{self.file_name}.{extension}", make),
                    file_name=f"{self.file_name}.{extension}",
                    mime=mime,
                    key=f"{extension}-{self.key}",
                    on_click="ignore",
                    width="stretch",
                )

    def _table(self) -> None:
        st.dataframe(
            self.frame,
            hide_index=True,
            column_config={**default_columns(self.frame), **self.columns},
            placeholder=UNDEFINED,
            key=f"table-{self.key}",
            alt=self.alt,
        )

    def _panels(self) -> None:
        with st.container(key=f"panels-{self.key}"):
            for start in range(0, len(self.charts), _ACROSS):
                row = zip(st.columns(_ACROSS), self.charts[start : start + _ACROSS], strict=False)
                for number, (column, panel) in enumerate(row, start):
                    with column:
                        self._chart(f"chart-{self.key}-{number}", panel)

    def _chart(self, name: str, chart: Chart) -> None:
        if isinstance(chart.data, pl.DataFrame) and chart.data.is_empty():
            st.info(NOTHING_TO_DRAW)
            return
        if self.clicked is None:
            draw(chart, key=name, alt=self.alt)
            return
        selection, act = self.clicked
        name = f"{name}.{st.session_state.get(_TIMES.format(self.key), 0)}"

        def took() -> None:
            marks = st.session_state[name]["selection"].get(selection) or []
            if marks:
                act(marks[0])

        draw(chart, key=name, on_select=took, selection_mode=[selection], alt=self.alt)


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


def _popover(label: str, key: str, help_text: str) -> Any:
    """A popover that says whether it is open."""
    return st.popover(label, key=key, type="tertiary", help=help_text, on_change="rerun")
