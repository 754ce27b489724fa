"""`app/views/test_sets`: its tables, sentences and charts, series of test sets and budget plans."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from app.charts.test_sets import along_responses, grid
from app.state import Selection
from app.views.test_sets import data, text
from tests.app.test_offers import OPTIONS
from tests.warehouse.study.simulate import evaluate_each, study
from warehouse.study import Evaluation, PolicyValues, ScoreCube, TestSet
from warehouse.study.plans import advise, annotation_plans, rank_bin_cells

CUBE, VALUES = study(M=6, P=40, R=4)
TWO, TWO_VALUES = study(M=2, P=20, R=3)


def rank_bins(
    cube: ScoreCube, values: PolicyValues, bins: int, *, replicates: int
) -> dict[tuple[int, int], Evaluation]:
    """Accuracy on every cell (chosen bin, rejected bin)."""
    cells = rank_bin_cells(bins)
    test_sets = [TestSet(rank_bins=bins, chosen_bin=chosen, rejected_bin=rejected) for chosen, rejected in cells]
    return dict(zip(cells, evaluate_each(cube, values, test_sets, replicates=replicates), strict=True))


@pytest.fixture(scope="module")
def cells() -> pl.DataFrame:
    return data.ranks(rank_bins(CUBE, VALUES, 3, replicates=50), "kendall", "pooled")


def test_the_sentence_on_ranks_names_the_greatest_and_the_least_cell(cells: pl.DataFrame) -> None:
    ordered = cells.sort("value", descending=True).to_dicts()
    sentence = text.ranks(cells, Selection())
    for row in (ordered[0], ordered[-1]):
        assert f"bin {row['chosen_bin']} over bin {row['rejected_bin']}: τ {row['value']:.2f}" in sentence


def test_what_is_undefined_is_null_and_counted() -> None:
    frame = data.ranks(rank_bins(TWO, TWO_VALUES, 2, replicates=20), "kendall", "pooled")
    assert frame.select("value", "low", "high").row(0) == (None, None, None)
    assert text.undefined(frame).startswith("1 of 1 correlation undefined")
    counted = pl.DataFrame({"value": [0.5, 0.1], "undefined_pairs": [0, 4]})
    assert text.undefined(counted) == "0 to 4 pairs undefined and left out of each correlation."
    assert text.undefined(counted.with_columns(undefined_pairs=0)) == ""


def test_a_download_says_nothing_of_what_its_study_sets_aside() -> None:
    chosen = Selection(budget=20, rank_bins=2)
    said = {
        study_name: text.facts(replace(chosen, study=study_name), OPTIONS)["construction"]
        for study_name in ("ranks", "categories")
    }
    assert said == {"ranks": "a budget of 20 annotations, seed 0", "categories": "2 rank bins"}


def test_a_category_at_home_is_counted() -> None:
    names = ("Chat", "Safety")
    rows = [(row, column, 0.9 if row == column else 0.2) for row in names for column in names]
    frame = pl.DataFrame(rows, schema=["measured", "valued", "value"], orient="row").with_columns(low=0.0, high=1.0)
    sentence = text.categories(frame, Selection())
    assert "In 2 of 2 categories, its own test prompts predict best" in sentence


def test_annotations_are_prompts_times_responses() -> None:
    found = evaluate_each(CUBE, VALUES, [TestSet(responses=r, budget=80) for r in (2, 3)], replicates=20)
    frame = data.responses({("budget", 2): found[0], ("budget", 3): found[1]}, "kendall", "pooled")
    assert frame["annotations"].to_list() == [80, 78]
    assert text.responses(frame, Selection()).startswith("For the same number of annotations, 2 responses give τ")


def test_plans_come_the_best_first_and_each_measure_once_at_its_best() -> None:
    plans = annotation_plans(CUBE, VALUES, 60, replicates=50)
    advice = advise(plans)
    assert advice is not None
    frame = data.plan_rows(plans, advice, "kendall", "pooled")
    best = data.best_splits(frame)
    assert best["measure"].is_unique().all()
    assert best["sample"].to_list() == sorted(best["sample"].to_list(), reverse=True)
    assert (frame["measure"][0], frame["responses"][0]) == (plans[advice.best].measure, plans[advice.best].responses)
    assert frame["behind"][0] == 0
    lines = text.advice(plans, advice, Selection(), 60)
    assert f"{plans[advice.best].responses} responses to each of {plans[advice.best].prompts} prompts" in lines[0]


def test_a_cell_shows_its_figure_and_interval_and_a_line_its_band(cells: pl.DataFrame) -> None:
    texts = cells.with_columns(pl.col("chosen_bin", "rejected_bin").cast(pl.String))
    drawn = grid(
        texts, down=("chosen_bin", "Chosen", ["2", "3"]), across=("rejected_bin", "Rejected", ["1", "2"]), title="τ"
    ).to_dict()
    assert [layer["mark"]["type"] for layer in drawn["layer"]] == ["rect", "text", "text"]
    points = pl.DataFrame({"responses": [2, 3], "value": [0.1, 0.2], "low": [0.0, 0.1], "high": [0.3, 0.4]})
    points = points.with_columns(sample=0.1, ceiling=0.9, of_ceiling=0.1, measure_itself=0.2)
    points = points.with_columns(series=pl.lit("A"), prompts=10, undefined_pairs=0)
    line = along_responses(points, ["A"], "τ").to_dict()
    assert [layer["mark"]["type"] for layer in line["layer"]] == ["rule", "text", "area", "line", "circle", "point"]
    assert line["layer"][3]["encoding"]["color"]["legend"] is None
