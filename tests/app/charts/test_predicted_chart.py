"""The chart of predicted regret: points of what is known, and the prediction, or a line where there is none."""

from __future__ import annotations

import polars as pl
import pytest

from app.charts.predicted import scatter

TITLES = ("Pearson", "NDR")
MODELS = pl.DataFrame(
    {
        "reward_model": ["a", "b", "new", "far"],
        "kind": ["flip", "size", "added", "added"],
        "feature": [0.2, 0.5, 0.4, 0.9],
        "measured": [0.1, 0.6, None, None],
        "value": [0.2, 0.5, 0.4, None],
        "low": [0.0, 0.3, 0.2, None],
        "high": [0.4, 0.8, 0.6, None],
    }
)


@pytest.mark.parametrize(
    ("name", "marks"),
    [("new", ["circle", "rule", "point"]), ("a", ["circle", "rule", "point"]), ("far", ["rule", "circle"])],
)
def test_what_is_drawn_is_valid_and_takes_its_colours_from_the_theme(name: str, marks: list[str]) -> None:
    specification = scatter(MODELS, name, TITLES, 0.9).to_dict(validate=True)
    assert [layer["mark"]["type"] for layer in specification["layer"]] == marks
    assert "#" not in str(specification["layer"])


def test_only_reward_models_whose_policy_is_known_are_points() -> None:
    specification = scatter(MODELS, "new", TITLES, 0.9).to_dict()
    points = str(specification["datasets"]) if "datasets" in specification else str(specification)
    assert "'measured': 0.6" in points
    (dots,) = [layer for layer in specification["layer"] if layer["mark"]["type"] == "circle"]
    rows = specification["datasets"][dots.get("data", specification["data"])["name"]]
    assert [row["reward_model"] for row in rows] == ["a", "b"]
