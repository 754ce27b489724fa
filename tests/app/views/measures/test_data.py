"""`app/views/measures`: its tables, sentences and charts, every measure compared with plain accuracy."""

from __future__ import annotations

import polars as pl
import pytest

from app.charts.leaderboard import leaderboard as chart
from app.charts.leaderboard import where
from app.state import Policies, Selection
from app.views.measures import data, text
from tests.warehouse.study.simulate import study
from warehouse.study import TestSet
from warehouse.study.comparison import replicated_on_all
from warehouse.study.together import boards

MEASURES = ("accuracy", "accuracy_pair", "reward_variance")
CUBE, VALUES = study(M=8, P=80)
(BOARD,) = boards(replicated_on_all(CUBE, VALUES, MEASURES), "accuracy_pair")


@pytest.fixture(scope="module")
def board() -> pl.DataFrame:
    return data.rows({Policies("bon", 16.0): BOARD, Policies("ppo", 32.0): BOARD}, "kendall", "pooled")


def test_each_measure_stands_once_under_each_optimizer_the_best_first(board: pl.DataFrame) -> None:
    assert board.select("policies", "measure").is_unique().all()
    assert board["policies"].unique(maintain_order=True).to_list() == ["best-of-16", "PPO at step 32"]
    first = board.filter(policies="best-of-16")["value"].to_list()
    assert first == sorted(first, reverse=True)


def test_a_difference_is_that_of_the_plain_correlations_with_an_interval_for_all_at_once(board: pl.DataFrame) -> None:
    sample = dict(board.select("measure", "sample").iter_rows())
    value = {name: BOARD.comparisons[name].first.correlations["kendall"].sample.value for name in MEASURES}
    assert sample == value
    for entry in board.to_dicts():
        if entry["measure"] == "accuracy_pair":
            assert entry["difference"] is None
            assert entry["verdict"] == "plain accuracy"
        else:
            assert entry["difference"] == pytest.approx(value[entry["measure"]] - value["accuracy_pair"])
            alone = BOARD.comparisons[entry["measure"]].correlations["kendall"]
            assert alone.low is not None
            assert entry["difference_low"] < alone.low < entry["difference_high"]


def test_the_verdict_follows_the_p_value_for_all_at_once(board: pl.DataFrame) -> None:
    compared = board.filter(pl.col("verdict") != "plain accuracy")
    assert not compared.is_empty()
    for row in compared.to_dicts():
        clear = None
        if row["p_difference"] < 0.05:
            clear = "better" if row["difference"] > 0 else "worse"
        neither = "not better" if row["difference_high"] < 0.05 else "cannot be told at this size"
        assert row["verdict"] == (clear or neither)


def test_the_finding_names_the_best_measure_of_each_optimizer(board: pl.DataFrame) -> None:
    lines = text.findings(board, Selection())
    best = board.row(0, named=True)
    assert len(lines) == 2
    assert f"**{best['title']}** has the greatest τ on this test set: {best['value']:.2f}" in lines[0]


def test_groups_are_letters_and_measures_that_share_none_differ(board: pl.DataFrame) -> None:
    group = dict(board.filter(policies="best-of-16").select("measure", "group").iter_rows())
    best = board.sort("sample", descending=True)["measure"][0]
    assert "a" in group[best]
    verdict = dict(board.select("measure", "verdict").iter_rows())
    for name in ("accuracy", "reward_variance"):
        if not set(group[name]) & set(group["accuracy_pair"]):
            assert verdict[name] in ("better", "worse")


def test_each_category_is_a_panel_and_none_make_none() -> None:
    test_sets = [TestSet(categories=("Chat",)), TestSet(categories=("Safety",))]
    parts = replicated_on_all(CUBE, VALUES, MEASURES, test_sets=test_sets, replicates=50)
    found = boards(parts, "accuracy_pair")
    rows = data.category_rows(dict(zip(("Chat", "Safety"), found, strict=True)), "spearman", "within")
    captions = text.category_captions(rows)
    assert list(captions) == ["Chat", "Safety"]
    assert captions["Chat"].startswith("20 prompts, ")
    assert len(where(rows, rows["title"].unique().to_list(), captions, "Difference")) == 2
    assert data.category_rows({}, "kendall", "pooled").is_empty()


def test_the_chart_has_a_dot_and_an_interval_per_row_and_a_legend_only_for_several(board: pl.DataFrame) -> None:
    order = board["title"].unique(maintain_order=True).to_list()
    both = chart(board, order, "difference", "Difference of τ").to_dict()
    assert [layer["mark"]["type"] for layer in both["layer"]] == ["rule", "bar", "circle"]
    values = chart(board, order, "value", "τ").to_dict()
    assert [layer["mark"]["type"] for layer in values["layer"]] == ["rule", "text", "bar", "circle", "point", "text"]
    assert values["layer"][-1]["encoding"]["text"]["field"] == "group"
    assert both["layer"][2]["encoding"]["y"]["scale"]["domain"] == order
    assert both["layer"][2]["encoding"]["color"]["legend"]["orient"] == "top"
    one = chart(board.filter(policies="best-of-16"), order, "value", "τ").to_dict()
    assert one["layer"][2]["encoding"]["color"]["legend"] is None
