"""`app/charts/export.py`: charts as files, drawn without a browser."""

from __future__ import annotations

import io
import struct

import altair as alt
import polars as pl
import pytest

from app.access import frames
from app.charts import export
from app.charts.pairs import matrix, scatter
from app.charts.style import interval_band
from tests.helpers.small import evaluation, pairs
from warehouse.study import MEASURES

CHARTS = [scatter(pairs(), MEASURES["accuracy"]), matrix(pairs(), "ndr", MEASURES["accuracy"])]


@pytest.mark.parametrize("chart", CHARTS)
def test_a_png_is_one_and_two_dots_a_pixel_wide(chart: export.Chart) -> None:
    image = export.png([chart], "Accuracy against NDR")
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", image[16:24])
    assert width > 2 * export.WIDTH
    assert height > 400


def test_the_title_is_in_the_picture() -> None:
    assert b"Kendall \xcf\x84 against NDR" in export.svg(CHARTS[:1], "Kendall τ against NDR")


def test_panels_stand_in_one_picture() -> None:
    kendall = frames.correlation_of(evaluation().correlations["kendall"])
    both = export.svg([interval_band(kendall, -1), CHARTS[0]], "Two panels").decode()
    assert both.count("\N{MINUS SIGN}1</text>") == 1
    assert both.count("Accuracy</text>") == 1


@pytest.mark.parametrize(("look", "ground"), [("light", "#fcfbf8"), ("dark", "#15181b")])
def test_the_picture_has_the_colours_of_the_theme_and_no_ink_without_a_colour(look: export.Look, ground: str) -> None:
    for chart in CHARTS:
        drawn = export.svg([chart], "Title", look).decode()
        assert f'fill="{ground}"' in drawn
        assert '"gray"' not in drawn


def test_data_from_elsewhere_is_not_fetched() -> None:
    chart = alt.Chart("http://127.0.0.1:9/data.csv").mark_point().encode(x="a:Q")
    with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
        export.png([chart], "Title")


def test_the_download_says_in_every_row_what_was_chosen() -> None:
    table = pl.read_csv(io.BytesIO(export.csv(pairs(), {"run_id": "smoke-1", "strength": 8.0})))
    assert table.columns[:4] == ["run_id", "strength", "golden", "proxy"]
    assert table["run_id"].unique().to_list() == ["smoke-1"]


def test_the_download_leaves_to_the_table_what_the_table_says_itself() -> None:
    table = pl.read_csv(io.BytesIO(export.csv(pairs(), {"run_id": "smoke-1", "golden": "every"})))
    assert table.columns[:3] == ["run_id", "golden", "proxy"]
    assert table["golden"].to_list() == pairs()["golden"].to_list()
