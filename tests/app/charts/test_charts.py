"""`app/charts`: what the specifications hold; how they look is looked at in a browser."""

from __future__ import annotations

from typing import Any, Literal

import altair as alt
import polars as pl
import pytest

from app.access import frames
from app.charts.pairs import matrix, scatter
from app.charts.runs import timings
from app.charts.style import ceiling_lines, interval_band
from app.views.runs import text
from app.views.runs.data import stage_timings
from tests.helpers.small import NAMES, evaluation, pairs
from warehouse.study import MEASURES


def layers_of(chart: Any, mark: str) -> list[dict[str, Any]]:
    specification = chart.to_dict()
    return [layer for layer in specification["layer"] if layer["mark"]["type"] == mark]


def test_the_scatter_draws_measure_against_ndr_and_names_both_reward_models_on_hover() -> None:
    (points,) = layers_of(scatter(pairs(), MEASURES["accuracy"]), "circle")
    assert (points["encoding"]["x"]["field"], points["encoding"]["y"]["field"]) == ("value", "ndr")
    assert points["encoding"]["x"]["title"] == "Accuracy"
    told = [entry["field"] for entry in points["encoding"]["tooltip"]]
    assert len({entry["title"] for entry in points["encoding"]["tooltip"]}) == len(told)
    assert told == ["golden", "golden_flip_rate", "proxy", "proxy_flip_rate", "value", "ndr", "ndr_low", "ndr_high"]


@pytest.mark.parametrize(
    "chart", [scatter(pairs(), MEASURES["accuracy"]), matrix(pairs(), "ndr", MEASURES["accuracy"])]
)
def test_a_click_carries_golden_and_proxy(chart: Any) -> None:
    (click,) = chart.to_dict()["params"]
    assert click["name"] == "pair"
    assert click["select"]["fields"] == ["golden", "proxy"]


def test_the_scatter_marks_what_ndr_zero_and_one_mean() -> None:
    notes = {layer["encoding"]["text"]["value"] for layer in layers_of(scatter(pairs(), MEASURES["accuracy"]), "text")}
    assert notes == {"nothing lost", "no gain"}


def test_no_line_is_fitted_through_fewer_than_three_values() -> None:
    assert len(layers_of(scatter(pairs(), MEASURES["accuracy"]), "line")) == 1
    assert layers_of(scatter(pairs().head(2), MEASURES["accuracy"]), "line") == []


def test_the_matrix_orders_both_axes_alike_by_flip_rate() -> None:
    cells = layers_of(matrix(pairs().reverse(), "value", MEASURES["accuracy"]), "rect")[0]
    assert cells["encoding"]["x"]["sort"] == cells["encoding"]["y"]["sort"] == list(NAMES)


def test_the_matrix_prints_figures_while_they_can_be_read_and_a_legend_beyond() -> None:
    assert len(layers_of(matrix(pairs(), "ndr", MEASURES["accuracy"]), "text")) == 1
    names = [f"m{i:02}" for i in range(12)]
    many = pl.DataFrame(
        [(g, m, 0.0, 0.1, 0.5, 0.5, 0.4, 0.6, False) for g in names for m in names if g != m],
        schema=[
            "golden",
            "proxy",
            "golden_flip_rate",
            "proxy_flip_rate",
            "value",
            "ndr",
            "ndr_low",
            "ndr_high",
            "chosen",
        ],
        orient="row",
    )
    assert layers_of(matrix(many, "ndr", MEASURES["accuracy"]), "text") == []


def test_undefined_pairs_do_not_break_the_matrix() -> None:
    assert matrix(pairs(undefined_golden=0), "ndr", MEASURES["accuracy"]).to_dict()


KENDALL = frames.correlation_of(evaluation().correlations["kendall"])


@pytest.mark.parametrize("least", [-1, 0])
def test_the_interval_stands_on_the_figures_whole_scale(least: float) -> None:
    (band,) = layers_of(interval_band(KENDALL, least), "bar")
    assert band["encoding"]["x"]["scale"]["domain"] == [least, 1]


def test_the_plain_figure_is_a_ring_and_the_noise_ceiling_a_tick_beside_the_interval() -> None:
    drawn = interval_band(KENDALL, -1)
    (tick,), (ring,) = layers_of(drawn, "tick"), layers_of(drawn, "point")
    assert (tick["encoding"]["x"]["field"], ring["encoding"]["x"]["field"]) == ("ceiling", "sample")
    assert not ring["mark"]["filled"]


@pytest.mark.parametrize("channel", ["x", "y"])
def test_ceilings_are_lines_of_which_the_greatest_is_labelled_and_none_is_drawn_where_none_is_known(
    channel: Literal["x", "y"],
) -> None:
    frame = pl.DataFrame({"policies": ["a", "a", "b", "c"], "ceiling": [0.8, 0.8, 0.9, None]})
    rules, label = (layer.to_dict() for layer in ceiling_lines(frame, channel, alt.Color("policies:N")))
    assert rules["encoding"][channel]["field"] == "ceiling"
    assert [row["ceiling"] for row in next(iter(rules["datasets"].values()))] == [0.8, 0.9]
    assert [row["policies"] for row in next(iter(label["datasets"].values()))] == ["b"]
    assert label["encoding"]["text"]["value"] == "noise ceilings"
    assert ceiling_lines(frame.with_columns(ceiling=pl.lit(None, pl.Float64)), channel) == []


def test_colours_come_from_the_theme() -> None:
    for chart in (
        scatter(pairs(), MEASURES["accuracy"]),
        matrix(pairs(), "ndr", MEASURES["accuracy"]),
        interval_band(KENDALL, -1),
    ):
        assert "#" not in str({key: value for key, value in chart.to_dict().items() if key in ("layer", "encoding")})


def test_the_timings_keep_the_order_of_the_run() -> None:
    stages = text.timing_labels(stage_timings({"stages": {"scores": {"wall_s": 3}, "prompts": {"wall_s": 1}}}))
    (bars,) = layers_of(timings(stages), "bar")
    assert bars["encoding"]["y"]["sort"] == ["Scores", "Prompts"]


def test_a_golden_whose_flip_rate_is_not_known_is_coloured_by_its_name() -> None:
    some = pairs().with_columns(golden_flip_rate=pl.when(pl.col("golden") != "flip-0.20").then("golden_flip_rate"))
    (points,) = layers_of(scatter(some, MEASURES["accuracy"]), "circle")
    assert points["encoding"]["color"]["field"] == "golden"
    told = [entry["field"] for entry in points["encoding"]["tooltip"]]
    assert "golden_flip_rate" not in told
    assert "proxy_flip_rate" in told
