"""Charts of the Choose page: what they draw, and that every piece of them is valid."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from app.charts.choice import chances, parts, ranked, ranks, thirds

NAMES = ["a", "b"]
RANKING = pl.DataFrame(
    {
        "reward_model": NAMES,
        "value": [0.8, 0.7],
        "low": [0.75, 0.6],
        "high": [0.85, 0.8],
        "together_low": [0.7, 0.55],
        "together_high": [0.9, 0.85],
        "group": ["a", "ab"],
        "first": [True, False],
        "ndr": [0.9, None],
    }
)
CHANCES = pl.DataFrame(
    {"reward_model": NAMES, "other": NAMES[::-1], "beats": [0.9, 0.1], "better": [0.6, 0.4], "p": [0.1, 0.1]}
)
CELLS = pl.DataFrame(
    {"reward_model": NAMES, "part": ["Chat", "Chat"], "prompts": [9, 9], "value": [0.5, None]}
    | {"low": [0.4, None], "high": [0.6, None], "gain": [0.1, None]}
)
RANKS = pl.DataFrame(
    {"reward_model": NAMES, "part": "The outcome", "rank": [1, None], "measured": [3.0, None], "tau": [None, None]}
)
CHARTS: dict[str, Any] = {
    "ranked": ranked(RANKING, "Gain", [("longest", 0.2), ("shortest", 0.3)]),
    "chances": chances(CHANCES, NAMES),
    "parts": parts(CELLS, NAMES, ["Chat"], title="Gain"),
    "ranks": ranks(RANKS, NAMES, ["The outcome"]),
    "chances of an outcome": chances(CHANCES.drop("better"), NAMES, what="A has more"),
    "thirds": thirds(CELLS, NAMES, ["Chat"]),
}


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_valid_vega_lite_and_takes_its_colours_from_the_theme(name: str) -> None:
    specification = CHARTS[name].to_dict(validate=True)
    assert "#" not in str(specification["layer"])


def test_length_alone_is_a_labelled_line_for_each_way() -> None:
    texts = [layer for layer in CHARTS["ranked"].to_dict()["layer"] if layer["mark"]["type"] == "text"]
    labels = [layer["encoding"]["text"].get("value") for layer in texts]
    assert labels[:2] == ["longest", "shortest"]
    rules = [layer for layer in CHARTS["ranked"].to_dict()["layer"] if layer["mark"]["type"] == "rule"]
    assert len(rules) == 2


def test_those_that_cannot_be_best_are_pale_and_an_unknown_ndr_is_not_in_the_tooltip() -> None:
    layers = CHARTS["ranked"].to_dict()["layer"]
    (dots,) = [layer for layer in layers if layer["mark"]["type"] == "circle"]
    assert dots["encoding"]["opacity"]["condition"]["test"] == "datum.first"
    assert "ndr" not in str(dots["encoding"]["tooltip"])


def test_many_reward_models_are_drawn_without_figures() -> None:
    names = [f"rm-{number}" for number in range(40)]
    cells = pl.DataFrame({"reward_model": names, "part": ["Chat"] * 40, "prompts": [9] * 40, "value": [0.5] * 40})
    cells = cells.with_columns(low=pl.lit(0.4), high=pl.lit(0.6))
    marks = [layer["mark"]["type"] for layer in parts(cells, names, ["Chat"], title="Gain").to_dict()["layer"]]
    assert marks == ["rect"]


@pytest.mark.parametrize(("count", "labelled"), [(42, True), (61, False)])
def test_names_and_groups_are_written_where_each_row_has_room_for_its_label(count: int, labelled: bool) -> None:
    names = [f"rm-{m:02}" for m in range(count)]
    ranking = pl.concat([RANKING.head(1)] * count).with_columns(reward_model=pl.Series(names))
    drawn = ranked(ranking, "Gain", []).to_dict()
    (dots,) = [layer for layer in drawn["layer"] if layer["mark"]["type"] == "circle"]
    assert dots["encoding"]["y"]["axis"]["labelOverlap"] != labelled
    assert any(layer["mark"]["type"] == "text" for layer in drawn["layer"]) == labelled
    assert not labelled or drawn["height"] / count >= 14
