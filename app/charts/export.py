"""A figure as a file: its charts as PNG or SVG, drawn as on the page but without a browser, and its table as CSV.

On the page Streamlit gives Vega the colours and fonts of `.streamlit/config.toml`; here they come from the same file.
The title is part of the picture.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import altair as alt
import polars as pl
import vl_convert

from app.charts.style import INK, ON_GRIDLINES
from warehouse.spreadsheets import neutral

Chart = alt.Chart | alt.LayerChart
Look = Literal["light", "dark"]
LOOKS: tuple[Look, ...] = ("light", "dark")

WIDTH = 720
_PANEL_WIDTH = 320
_SCALE = 2  # dots per pixel: sharp in a paper's column
_THEME = Path(__file__).parent.parent / ".streamlit" / "config.toml"


def png(charts: Sequence[Chart], title: str, look: Look = "light") -> bytes:
    """The charts under their title as a PNG image, two dots per pixel."""
    return bytes(vl_convert.vegalite_to_png(specification(charts, title, look), scale=_SCALE, allowed_base_urls=[]))


def svg(charts: Sequence[Chart], title: str, look: Look = "light") -> bytes:
    """The charts under their title as an SVG document."""
    return str(vl_convert.vegalite_to_svg(specification(charts, title, look), allowed_base_urls=[])).encode()


def inline(chart: Chart, look: Look, width: int) -> str:
    """One chart as SVG without a title, to be set into a page that has the ground of the theme."""
    drawn = specification([chart], "", look, width) | {"background": None}
    return str(vl_convert.vegalite_to_svg(drawn, allowed_base_urls=[]))


def colours(look: Look) -> Mapping[str, Any]:
    """The theme's colours by Streamlit's names: `backgroundColor`, `textColor`, `grayTextColor`, `borderColor`, …"""
    return _theme()[look]


def csv(table: pl.DataFrame, facts: Mapping[str, object]) -> bytes:
    """The table as CSV; `facts` (run, measure, optimiser, …) come first in every row, so that the file explains itself.

    A fact that is also a column of the table is left out. A cell that a spreadsheet would run has an apostrophe before.
    """
    added = [pl.lit(value).alias(name) for name, value in facts.items() if name not in table.columns]
    return neutral(table.select(*added, pl.all())).write_csv().encode()


def specification(charts: Sequence[Chart], title: str, look: Look, width: int = WIDTH) -> dict[str, Any]:
    """Vega-Lite of one chart, or of several side by side in rows of two, complete with the theme's colours.

    `width` is that of a chart alone, without its labels, in pixels; an empty title takes no room.
    """
    sized = [_sized(chart, width if len(charts) == 1 else _PANEL_WIDTH) for chart in charts]
    whole = sized[0] if len(sized) == 1 else alt.concat(*sized, columns=2)
    specification: dict[str, Any] = _inked(whole.to_dict(), _theme()[look]["grayColor"])
    titled = {"title": {"text": title, "anchor": "start", "offset": 16}, "padding": 16} if title else {"padding": 4}
    return specification | titled | {"config": _config(_theme()[look])}


def _sized(chart: Chart, width: int) -> Chart:
    sized = chart.properties(width=width)
    sized.padding = alt.Undefined  # belongs to the whole picture
    return sized


@cache
def _theme() -> Mapping[str, Mapping[str, Any]]:
    theme: dict[str, Mapping[str, Any]] = tomllib.loads(_THEME.read_text())["theme"]
    return theme


def _config(colours: Mapping[str, Any]) -> dict[str, Any]:
    ink, line = colours["grayTextColor"], colours["borderColor"]
    text = {"labelColor": ink, "titleColor": ink, "titleFontWeight": "normal", "labelFontSize": 12, "titleFontSize": 13}
    return {
        "font": "sans-serif",
        "background": colours["backgroundColor"],
        "title": {"color": colours["textColor"], "fontSize": 16, "font": "serif"},
        "axis": {**text, **ON_GRIDLINES, "gridColor": line, "domainColor": line, "ticks": False, "domain": False}
        | {"labelPadding": 6},
        "axisXBand": {"grid": False},
        "axisYBand": {"grid": False},
        "header": text,
        "legend": text,
        "range": {
            "category": colours["chartCategoricalColors"],
            "diverging": colours["chartDivergingColors"],
            "ramp": colours["chartSequentialColors"],
            "heatmap": colours["chartSequentialColors"],
        },
        "mark": {"color": colours["chartCategoricalColors"][0]},
        "view": {"stroke": None},
    }


def _inked(part: Any, ink: str) -> Any:
    """The specification with the ink that only Streamlit knows by name put in as a colour."""
    if isinstance(part, dict):
        if part == {"value": INK}:
            return {"value": ink}
        return {name: _inked(value, ink) for name, value in part.items()}
    if isinstance(part, list):
        return [_inked(value, ink) for value in part]
    return part
