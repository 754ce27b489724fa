"""`app/charts`: what the specifications hold; how they look is looked at in a browser."""

from __future__ import annotations

import re
from typing import Any, Literal

import altair as alt
import polars as pl
import pytest

from app.access import frames
from app.charts import export
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


def test_the_matrix_orders_both_axes_alike_in_the_order_that_reward_models_have_on_every_page() -> None:
    named = pl.col("golden", "proxy").replace({"flip-0.00": "unflipped"})  # the least flipped is last by name
    cells = layers_of(matrix(pairs().with_columns(named).reverse(), "value", MEASURES["accuracy"]), "rect")[0]
    order = sorted(["unflipped", *NAMES[1:]])
    assert cells["encoding"]["x"]["sort"] == cells["encoding"]["y"]["sort"] == order


def many_pairs(reward_models: int) -> pl.DataFrame:
    """Pairs whose accuracies are from 0.62 to 0.98 and NDRs from -0.25 to 1."""
    names = [f"m{i:03}" for i in range(reward_models)]
    frame = pl.DataFrame([(g, m) for g in names for m in names if g != m], schema=["golden", "proxy"], orient="row")
    share = pl.int_range(pl.len()) / (pl.len() - 1)
    figures = {"value": 0.62 + 0.36 * share, "ndr": 1.0 - 1.25 * share, "chosen": pl.lit(value=False)}
    rates = dict.fromkeys(("golden_flip_rate", "proxy_flip_rate"), pl.lit(None, pl.Float64))
    return frame.with_columns(**rates, **figures, ndr_low=pl.lit(0.0), ndr_high=pl.lit(1.0))


def test_the_pairs_of_forty_two_reward_models_are_points_that_can_be_clicked() -> None:
    assert scatter(many_pairs(42), MEASURES["accuracy"]).to_dict()["params"]


def test_a_density_has_a_true_scale_on_which_lines_are_at_their_value() -> None:
    drawn = scatter(many_pairs(60), MEASURES["accuracy"]).to_dict()
    (cells,) = [layer for layer in drawn["layer"] if layer["mark"]["type"] == "rect"]
    assert not any("bin" in channel for channel in cells["encoding"].values() if isinstance(channel, dict))
    rows = drawn["datasets"][cells["data"]["name"]]
    assert sum(row["rows"] for row in rows) == 60 * 59
    assert min(row["value"] for row in rows) == pytest.approx(0.62)
    assert max(row["value_to"] for row in rows) == pytest.approx(0.98)
    assert max(row["ndr_to"] - row["ndr"] for row in rows) == pytest.approx(1.25 / 40)
    svg = export.svg([scatter(many_pairs(60), MEASURES["accuracy"])], "Title").decode()
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    ticks = [label for label in labels if re.fullmatch(r"\N{MINUS SIGN}?\d\.\d+", label)]
    assert {"0.70", "0.80", "0.90"} <= set(ticks)
    assert len(ticks) == len(set(ticks))
    zero, no_gain = (_height_of(svg, label) for label in ("0.0", "no gain"))
    assert 0 <= zero - no_gain < 12  # the label is just above its line


def _height_of(svg: str, label: str) -> float:
    """Where a text is, downwards, within the plot."""
    found = re.search(rf'translate\([-\d.]+,([-\d.]+)\)"[^>]*>{label}</text>', svg)
    assert found is not None, label
    return float(found[1])


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


def test_of_more_goldens_than_colours_without_flip_rates_none_is_coloured() -> None:
    for reward_models, coloured in ((5, True), (6, False)):
        (points,) = layers_of(scatter(many_pairs(reward_models), MEASURES["accuracy"]), "circle")
        assert ("color" in points["encoding"]) == coloured


def test_a_golden_whose_flip_rate_is_not_known_is_coloured_by_its_name_with_a_legend() -> None:
    some = pairs().with_columns(golden_flip_rate=pl.when(pl.col("golden") != "flip-0.20").then("golden_flip_rate"))
    (points,) = layers_of(scatter(some, MEASURES["accuracy"]), "circle")
    assert points["encoding"]["color"]["field"] == "golden"
    assert points["encoding"]["color"]["legend"]["title"] == "Golden"
    told = [entry["field"] for entry in points["encoding"]["tooltip"]]
    assert "golden_flip_rate" not in told
    assert "proxy_flip_rate" in told
