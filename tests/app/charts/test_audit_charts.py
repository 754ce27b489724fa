"""Charts of the Audit page: what their specifications hold."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from app.charts.audit import accuracies, predictions, reliabilities

NAMES = ["All items", "a / b", "c"]
SUBSETS = pl.DataFrame(
    {
        "name": NAMES,
        "tau": [0.6, -0.2, None],
        "tau_low": [0.3, -0.6, None],
        "tau_high": [0.9, 0.2, None],
        "p_predicts": [0.005, 0.4, None],
        "predicts": [True, False, False],
        "p_difference": [None, 0.01, None],
        "reliability": [0.9, -1.5, None],
        "reliability_low": [0.8, -4.0, None],
        "reliability_high": [0.95, 0.1, None],
        "reliability_100": [0.6, None, None],
        "apart": ["30 of 45", "0 of 45", "0 of 45"],
        "items": [200, 100, 100],
        "verdict": ["", "at chance", "saturated"],
    }
)
BY_MODEL = pl.DataFrame(
    {"name": ["a / b", "a / b"], "reward_model": ["x", "y"], "accuracy": [0.4, 0.6], "mean": [0.5, 0.5]}
)
CHARTS = {
    "predictions": predictions(SUBSETS, NAMES, "Kendall τ with NDR"),
    "reliabilities": reliabilities(SUBSETS, NAMES),
    "accuracies": accuracies(BY_MODEL, NAMES),
}


def rows_of(chart: Any) -> list[dict[str, Any]]:
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows if "name" in row]


@pytest.mark.parametrize("name", CHARTS)
def test_colours_come_from_the_theme_axes_are_named_and_every_subset_has_a_row(name: str) -> None:
    specification = CHARTS[name].to_dict()
    assert "#" not in str(specification["layer"])
    encodings = [layer["encoding"] for layer in specification["layer"]]
    assert any("title" in encoding.get("x", {}) for encoding in encodings)
    assert all(encoding["y"]["scale"]["domain"] == NAMES for encoding in encodings if "y" in encoding)


def test_an_undefined_figure_leaves_its_row_empty() -> None:
    assert {row["name"] for row in rows_of(CHARTS["predictions"])} == {"All items", "a / b"}


def test_a_reliability_below_nothing_is_drawn_at_nothing() -> None:
    (row,) = [row for row in rows_of(CHARTS["reliabilities"]) if row["name"] == "a / b"]
    assert (row["reliability"], row["reliability_low"], row["reliability_high"]) == (0.0, 0.0, 0.1)


def test_what_is_not_shown_to_predict_is_pale() -> None:
    (opacity,) = {str(layer["encoding"]["opacity"]) for layer in CHARTS["predictions"].to_dict()["layer"][1:]}
    assert "datum.predicts" in opacity
