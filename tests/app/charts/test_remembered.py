"""Charts of the same content are made once, and nothing else passes for the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import altair as alt
import polars as pl
import pytest

from app.charts import remembered
from app.charts.remembered import Specification, finished, memory
from app.charts.style import titled

FRAME = pl.DataFrame({"n": [1, 2, 4], "name": ["a", None, "c"], "ndr": [0.5, None, float("nan")]})


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    memory.clear()


drawn: list[str] = []


@remembered.remembered
def chart(frame: pl.DataFrame, names: list[str] | tuple[str, ...] = (), *, at: object = 0) -> alt.Chart:
    drawn.append("chart")
    return alt.Chart(frame).mark_point()


@remembered.remembered
def other(frame: pl.DataFrame) -> alt.Chart:
    return alt.Chart(frame).mark_line()


def test_the_same_content_is_drawn_once_in_whichever_frame_it_is() -> None:
    drawn.clear()
    first = chart(FRAME, ["a"], at=1)
    assert chart(FRAME.clone().filter(pl.lit(value=True)), ["a"], at=1) is first
    assert drawn == ["chart"]


@pytest.mark.parametrize(
    "frame",
    [
        FRAME.with_columns(n=pl.Series([1, 2, 5])),
        FRAME.reverse(),
        FRAME.head(2),
        FRAME.rename({"ndr": "gain"}),
        FRAME.cast({"n": pl.Float64}),
        FRAME.with_columns(ndr=pl.Series([0.5, float("nan"), None])),
        FRAME.with_columns(name=pl.Series(["a", "", "c"])),
        pl.DataFrame(),
    ],
)
def test_another_frame_is_another_chart(frame: pl.DataFrame) -> None:
    assert chart(frame) is not chart(FRAME)


def test_other_arguments_and_functions_are_other_charts() -> None:
    charts = [chart(FRAME, at=at) for at in (0, 1, 1.0, True, "1", None)]
    charts += [chart(FRAME, ["a"]), chart(FRAME, ("a",)), chart(FRAME, ["a", "b"]), other(FRAME)]
    assert len({id(drawing) for drawing in charts}) == len(charts)


def test_a_titled_chart_is_known_by_the_chart_and_the_title() -> None:
    first = titled(chart(FRAME), "Chat")
    assert titled(chart(FRAME), "Chat") is first
    assert titled(chart(FRAME), "Safety") is not first
    assert titled(other(FRAME), "Chat") is not first
    assert chart(FRAME).title is alt.Undefined


def test_what_cannot_be_known_again_is_refused() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        chart(FRAME, at={1})


def test_a_chart_is_finished_once_and_one_that_is_not_remembered_every_time() -> None:
    times = []

    def finish() -> Specification:
        times.append(1)
        return Specification({"mark": "point"}, {"data": b"rows"})

    assert [finished(chart(FRAME), finish) for _ in range(2)] == [({"mark": "point"}, {"data": b"rows"})] * 2
    assert len(times) == 1
    finished(titled(chart(FRAME), "Chat"), finish)
    assert len(times) == 2
    plain = alt.Chart(FRAME).mark_point()
    assert [finished(plain, finish) for _ in range(2)]
    assert len(times) == 4


def test_the_charts_that_are_kept_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_BYTES", 300_000)
    first = chart(FRAME, at=0)
    for at in range(1, 40):
        finished(chart(FRAME, at=at), lambda: Specification({}, {"data": bytes(100_000)}))
        assert memory.bytes <= 300_000
    assert chart(FRAME, at=0) is not first
    before = memory.bytes
    assert chart(FRAME, at=39) is chart(FRAME, at=39)
    assert memory.bytes == before


def test_many_threads_get_one_chart() -> None:
    with ThreadPoolExecutor(8) as threads:
        charts = list(threads.map(lambda at: chart(FRAME, at=at % 5), range(400)))
    assert len({id(drawing) for drawing in charts[200:]}) == 5
