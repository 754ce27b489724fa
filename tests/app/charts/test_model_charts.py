"""Charts of the Reward models and Responses pages: what their specifications hold."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from app.charts.models import distribution, dots, losses, prompts_needed, reactions, square, training
from app.charts.responses import reliability, strip

NAMES = ["a", "b"]
FIGURES = pl.DataFrame(
    {"reward_model": NAMES, "kind": "flip", "flip_rate": [0.0, 0.2], "value": [0.1, None], "low": [0.0, None]}
).with_columns(high=pl.Series([0.2, None]))
CURVES = pl.DataFrame({"reward_model": NAMES, "kind": "flip", "flip_rate": [0.0, 0.2], "step": [1, 1], "value": [1, 2]})
PAIRS = pl.DataFrame({"one": NAMES, "other": NAMES[::-1], "value": [0.5, None], "low": [0.4, None]}).with_columns(
    high=pl.Series([0.6, None])
)
CELLS = pl.DataFrame(
    {"reward_model": NAMES, "response": [1, 1], "standard": [0.5, -1.0], "score": [1.0, 2.0], "pick": [True, False]}
).with_columns(length=pl.lit("7 tokens"))
BINS = pl.DataFrame({"confidence": [0.55], "right": [0.6], "low": [0.5], "high": [0.7], "pairs": [9]})
SHARES = pl.DataFrame({"reward_model": NAMES, "least": [-1.0, -1.0], "greatest": [0.0, 0.0], "share": [0.5, 0.5]})
REACTIONS = FIGURES.with_columns(edit=pl.lit("padding"))
LOSSES = pl.DataFrame({"step": [1, 2], "pairs": ["training", "validation"], "value": [0.6, 0.5]})
NEEDED = pl.DataFrame({"responses": [2, 6], "difference": [0.02, 0.02], "prompts": [400, None]})

CHARTS = {
    "distribution": distribution(SHARES, NAMES),
    "dots": dots(FIGURES, NAMES, "Figure", reference=0.0),
    "reliability": reliability(BINS),
    "reactions": reactions(REACTIONS, ["padding"], "a"),
    "square": square(PAIRS, NAMES, down=("one", "Golden"), across=("other", "Proxy"), title="Alike"),
    "strip": strip(CELLS, NAMES),
    "training": training(CURVES, "Accuracy", "a"),
    "losses": losses(LOSSES),
    "prompts needed": prompts_needed(NEEDED, 0.03, 128, "Responses per prompt"),
}


def layers(chart: Any, mark: str) -> list[dict[str, Any]]:
    return [layer for layer in chart.to_dict()["layer"] if layer["mark"]["type"] == mark]


@pytest.mark.parametrize("name", CHARTS)
def test_colours_come_from_the_theme_and_axes_are_named(name: str) -> None:
    specification = CHARTS[name].to_dict()
    drawn = {key: value for key, value in specification.items() if key in ("layer", "encoding", "mark")}
    assert "#" not in str(drawn)
    encodings = [layer["encoding"] for layer in specification.get("layer", [specification])]
    assert any("title" in encoding.get("x", {}) for encoding in encodings)


def test_an_undefined_figure_leaves_its_row_empty_but_named() -> None:
    chart = CHARTS["dots"]
    (points,) = layers(chart, "circle")
    rows = [row["reward_model"] for data in chart.to_dict()["datasets"].values() for row in data if len(row) > 1]
    assert rows == ["a"]
    assert points["encoding"]["y"]["sort"] == NAMES


def test_unknown_prompts_are_not_drawn_and_the_run_itself_is_a_diamond() -> None:
    chart = CHARTS["prompts needed"]
    (line,) = layers(chart, "line")
    assert line["encoding"]["y"]["scale"] == {"type": "log"}
    (now,) = layers(chart, "point")
    data = chart.to_dict()["datasets"]
    assert data[now["data"]["name"]] == [{"difference": 0.03, "prompts": 128}]
    assert [row["prompts"] for row in data[chart.to_dict()["data"]["name"]]] == [400]
    assert layers(prompts_needed(NEEDED, None, 128, "Responses per prompt"), "point") == []


def test_reward_models_of_several_kinds_are_told_apart_by_kind() -> None:
    mixed = FIGURES.with_columns(kind=pl.Series(["flip", "size"]))
    (points,) = layers(dots(mixed, NAMES, "Figure"), "circle")
    assert points["encoding"]["color"]["field"] == "kind"
    (points,) = layers(CHARTS["dots"], "circle")
    assert points["encoding"]["color"]["field"] == "flip_rate"


def test_only_picks_are_ringed() -> None:
    (ring,) = layers(CHARTS["strip"], "point")
    assert ring["transform"] == [{"filter": "datum.pick"}]


def test_cells_lose_their_figures_where_they_are_many() -> None:
    names = [f"m{n:02}" for n in range(13)]
    many = pl.DataFrame(
        [(a, b, 0.5, 0.4, 0.6) for a in names for b in names if a != b], schema=PAIRS.columns, orient="row"
    )
    assert layers(CHARTS["square"], "text")
    assert not layers(square(many, names, down=("one", "G"), across=("other", "P"), title="t"), "text")


def test_reactions_are_dots_of_which_the_chosen_one_is_ringed_with_its_interval() -> None:
    chart = reactions(REACTIONS, ["padding", "list"], "b")
    (ring,), (dot,) = layers(chart, "point"), layers(chart, "circle")
    assert ring["transform"] == [{"filter": {"equal": "b", "field": "reward_model"}}]
    assert dot["encoding"]["y"]["sort"] == ["padding", "list"]
    assert {"low", "high"} <= {field["field"] for field in dot["encoding"]["tooltip"]}
    interval = next(layer for layer in layers(chart, "rule") if "x2" in layer["encoding"])
    assert interval["transform"] == ring["transform"]
    assert (interval["encoding"]["x"]["field"], interval["encoding"]["x2"]["field"]) == ("low", "high")
