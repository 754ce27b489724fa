"""`app/components/figure.py`: the frame of every figure."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app.components.figure import NOTHING_TO_DRAW
from tests.app.popovers import opened


@pytest.fixture
def page() -> AppTest:
    """A page of one figure of three rows and one of two panels."""

    def page() -> None:
        import altair as alt
        import polars as pl

        from app.components import figure

        frame = pl.DataFrame({"n": [1, 2, 4], "ndr": [0.1, None, 0.7]})
        chart = alt.Chart(frame).mark_line().encode(x="n:Q", y="ndr:Q")
        figure.show("one", chart, frame, title="NDR grows", note="By n.", alt="NDR by n", file_name="ndr")
        figure.show("two", [chart, chart], frame, title="Twice", alt="Two panels", file_name="twice")

    return AppTest.from_function(page).run()


def test_a_figure_has_title_note_chart_and_three_files(page: AppTest) -> None:
    assert not page.exception
    assert [heading.value for heading in page.header] == ["NDR grows", "Twice"]
    assert [caption.value for caption in page.caption] == ["By n."]
    assert len(page.get("vega_lite_chart")) == 3
    assert len(page.dataframe) == 0
    assert len(page.get("download_button")) == 0
    assert [button.label for button in opened(page, "files-one").get("download_button")] == ["PNG", "SVG", "CSV"]


def test_the_table_takes_the_place_of_the_chart_and_shows_what_is_undefined(page: AppTest) -> None:
    page.segmented_control(key="view-one").set_value("Table").run()
    assert not page.exception
    assert len(page.get("vega_lite_chart")) == 2
    (table,) = page.dataframe
    assert table.value["n"].to_list() == [1, 2, 4]
    assert table.value["ndr"].isna().to_list() == [False, True, False]


def test_an_export_that_fails_is_said_until_it_is_dismissed() -> None:
    def page() -> None:
        import altair as alt
        import polars as pl
        import streamlit as st

        from app.components import trouble

        trouble.failed_exports()
        chart = alt.Chart(pl.DataFrame({"n": [1]})).mark_line().encode(x="n:Q")
        st.session_state["make"] = trouble.noting("ndr.png", lambda: chart.undefined())  # type: ignore[attr-defined]
        st.session_state["again"] = trouble.noting("ndr.png", lambda: b"drawn")

    shown = AppTest.from_function(page).run()
    assert not shown.error
    with pytest.raises(AttributeError):
        shown.session_state["make"]()
    shown.run()
    (error,) = shown.error
    assert "ndr\\.png" in error.value
    assert "undefined" in error.value
    shown.button(key="dismiss-exports").click().run()
    assert not shown.error
    with pytest.raises(AttributeError):
        shown.session_state["make"]()
    assert shown.session_state["again"]() == b"drawn"
    assert not shown.run().error


def test_a_chart_without_a_mark_says_why_instead() -> None:
    def page() -> None:
        import polars as pl

        from app.charts.report import forest
        from app.components import figure

        floats = dict.fromkeys(("value", "low", "high"), pl.Float64)
        frame = pl.DataFrame([("Chat", None, None, None)], schema={"part": pl.String, **floats}, orient="row")
        figure.show("none", forest(frame, "NDR"), frame, title="Nothing", alt="Nothing", file_name="none")

    shown = AppTest.from_function(page).run()
    assert not shown.exception
    assert [info.value for info in shown.info] == [NOTHING_TO_DRAW]
    assert len(shown.get("vega_lite_chart")) == 0
