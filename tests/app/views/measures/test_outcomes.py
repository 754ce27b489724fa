"""The Measures page against an outcome measured elsewhere: what it offers and shows, and where nothing can be said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.charts import outcomes as charts
from app.views.measures import outcomes
from tests.app.conftest import OpenPage
from tests.helpers import simulated
from tests.helpers.planted_outcomes import PlantedOutcomes
from tests.helpers.reading import charts as count_charts
from tests.helpers.reading import said
from warehouse import ingest, reads, store
from warehouse.study import MEASURES
from warehouse.study.outcomes import predict, predict_all


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight reward models with an Elo, three of them with a win rate. Tests must not write into it."""
    home = simulated.publish(tmp_path_factory.mktemp("outcomes"), M=8)
    with store.open_read_only(home) as connection:
        names = reads.runs.reward_models(connection, "simulated")["reward_model_id"].to_list()
    elo = [{"reward_model_id": name, "outcome": "elo", "value": 1e3 - 9 * m * m} for m, name in enumerate(names)]
    elo = [{**row, "standard_error": 12.0} for row in elo]
    wins = [{"reward_model_id": name, "outcome": "win rate", "value": 0.5 + m / 10} for m, name in enumerate(names[:3])]
    rows = pl.DataFrame([*elo, *wins], infer_schema_length=None)
    ingest.replace_table(home, "simulated", "outcome", rows, "test")
    return home


def test_a_run_without_outcomes_offers_none(simulated_home: Path, open_view: OpenPage) -> None:
    page = open_view("measures", simulated_home)
    assert "Against" not in [control.label for control in page.segmented_control]
    assert "Ignored: outcome=elo" in said(open_view("measures", simulated_home, outcome="elo"))


def test_an_outcome_takes_the_place_of_ndr(home: Path, open_view: OpenPage) -> None:
    page = open_view("measures", home)
    (against,) = [control for control in page.segmented_control if control.label == "Against"]
    assert list(against.options) == ["NDR", "outcome elo", "outcome win rate"]
    against.set_value("elo").run()
    assert not page.exception
    assert [heading.value for heading in page.header] == [
        "Correlation with elo",
        "Against plain accuracy",
        "Every reward model",
        "Without each reward model",
    ]
    assert count_charts(page) == 4
    text = said(page)
    assert "8 reward models with outcome **elo**" in text
    assert "of its variance is no error of its own" in text
    assert "**Accuracy** predicts the true elo with τ" in text
    assert "the most influential is **" in text
    page.segmented_control(key="view-outcome-leaderboard").set_value("Table").run()
    assert len(page.dataframe[0].value) == len(MEASURES)


def test_another_measure_is_shown_point_by_point(home: Path, open_view: OpenPage) -> None:
    page = open_view("measures", home, outcome="elo", measure="spearman", correlation="pearson")
    assert "**Spearman** predicts the true elo with r" in said(page)
    page = open_view("measures", home, outcome="elo", correlation="mrr")
    assert not page.exception
    assert "predicts the true elo with τ" in said(page)  # MRR is about pairs


def test_below_five_reward_models_it_says_that_nothing_can_be_said(home: Path, open_view: OpenPage) -> None:
    page = open_view("measures", home, outcome="win rate")
    assert not page.exception
    assert "3 reward models with this outcome, fewer than 5: nothing can be said about others." in page.info[0].value
    assert [heading.value for heading in page.header] == ["Every reward model"]


def test_tables_have_the_figures_of_the_prediction() -> None:
    cube, outcome = PlantedOutcomes(M=8, P=30).study(1)
    board = predict_all(cube, outcome, ("accuracy", "spearman"), "accuracy")
    frame = outcomes.rows(board, "kendall")
    assert frame["value"].to_list() == sorted(frame["value"].to_list(), reverse=True)
    (own,) = frame.filter(measure="accuracy").to_dicts()
    assert own["verdict"] == "plain accuracy"
    assert own["value"] == board.predictions["accuracy"].correlations["kendall"].value
    prediction = board.predictions["accuracy"]
    points = outcomes.points(prediction)
    assert points["outcome"].to_list() == sorted(outcome.value_K.tolist(), reverse=True)
    np.testing.assert_allclose(
        (points["outcome_high"] - points["outcome_low"]).to_numpy() / 3.92,
        outcome.error_K[np.argsort(-outcome.value_K)],
    )
    without = outcomes.without(prediction, "kendall")
    assert without["reward_model"][0] == prediction.influential("kendall")


def test_charts_draw_both_errors_in_colours_of_the_theme() -> None:
    cube, outcome = PlantedOutcomes(M=8, P=30).study(1)
    prediction = predict(cube, outcome)
    points, without = outcomes.points(prediction), outcomes.without(prediction, "kendall")
    scatter = charts.scatter(points, MEASURES["accuracy"], "elo").to_dict()
    dots = charts.left_out(without, 0.5, "Plain τ").to_dict()
    for chart in (scatter, dots):
        assert "#" not in str(chart["layer"])
    rules = [layer["encoding"] for layer in scatter["layer"] if layer["mark"]["type"] == "rule"]
    assert [sorted(set(rule) & {"x2", "y2"}) for rule in rules] == [["x2"], ["y2"]]
    marks = [layer for layer in (*scatter["layer"], *dots["layer"]) if layer["mark"]["type"] == "rule"]
    assert all(layer["encoding"]["color"] == {"value": "gray"} for layer in marks)
