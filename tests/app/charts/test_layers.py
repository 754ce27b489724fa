"""Layers put together without Altair's copies: the picture that Altair's own draw."""

from __future__ import annotations

import re

import altair as alt
import polars as pl
import pytest
import vl_convert

from app.charts.pairs import click
from app.charts.style import layered, titled

ROWS = pl.DataFrame({"golden": ["a", "a", "b"], "proxy": ["b", "c", "c"], "x": [0.1, 0.4, 0.3], "y": [1.0, 0.2, 0.5]})
BASE = alt.Chart(ROWS).encode(x=alt.X("x:Q"), y=alt.Y("y:Q"))
LINE = BASE.transform_regression("x", "y").mark_line()
POINTS = BASE.mark_circle(size=80).encode(color=alt.Color("golden:N"))
RULE = alt.Chart(alt.InlineData(values=[{"at": 0.5}])).mark_rule().encode(y=alt.Y("at:Q"))


def picture(chart: alt.Chart | alt.LayerChart) -> str:
    svg = vl_convert.vegalite_to_svg(chart.to_dict(), allowed_base_urls=[])
    return re.sub(r"\d+_marks", "_marks", svg)  # a clicked layer's name has its place in it, or that among the clicked


@pytest.mark.parametrize(
    "layers",
    [[POINTS], [LINE, POINTS], [RULE, LINE, POINTS], [RULE, LINE, POINTS.add_params(click()), POINTS]],
    ids=["one", "of the same data", "of two", "with one that is clicked"],
)
def test_layers_are_drawn_as_altair_s_own(layers: list[alt.Chart]) -> None:
    before = [layer.to_dict() for layer in layers]
    ours = layered(layers, height=200, padding={"bottom": 4})
    theirs = alt.LayerChart(layer=layers, height=200, padding={"bottom": 4})
    assert picture(ours) == picture(theirs)
    assert picture(titled(ours, "A title")) == picture(theirs.properties(title="A title"))
    assert ours.title is alt.Undefined
    assert [layer.to_dict() for layer in layers] == before


def test_what_is_clicked_is_the_whole_chart_s_parameter() -> None:
    spec = layered([RULE, POINTS.add_params(click()), LINE]).to_dict()
    (parameter,) = spec["params"]
    assert parameter["name"] == click().name
    assert parameter["views"] == [layer["name"] for layer in spec["layer"] if "name" in layer]
    assert "data" in spec["layer"][0]  # its own; the others' is the whole chart's
    assert all("data" not in layer for layer in spec["layer"][1:])
