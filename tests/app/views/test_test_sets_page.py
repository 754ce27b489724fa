"""The Test sets page on runs of several kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.offers import STUDIES
from app.views.test_sets.controls import IGNORED
from tests.app.conftest import OpenPage
from tests.helpers import simulated
from tests.helpers.reading import address, said
from warehouse import reads, store
from warehouse.schema import CATEGORIES
from warehouse.study import TestSet, evaluate
from warehouse.study.plans import PLANNED

VIEW = "test_sets"


def test_the_rank_map_has_a_cell_for_every_two_bins(simulated_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, simulated_home, map_bins="5")
    assert not page.exception
    page.segmented_control(key="view-ranks").set_value("Table").run()
    table = page.dataframe[0].value
    assert {(row.chosen_bin, row.rejected_bin) for row in table.itertuples()} == {
        (i, j) for i in range(2, 6) for j in range(1, i)
    }
    assert "predicts best on pairs of bin" in said(page)
    page.slider(key="choose.map_bins").set_value(2).run()
    assert address(page)["map-bins"] == ["2"]
    assert len(page.dataframe[0].value) == 1


def test_a_category_is_measured_on_down_and_optimised_for_across(simulated_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, simulated_home, study="categories", correlation="pearson", measure="kendall")
    assert not page.exception
    page.segmented_control(key="view-category-table").set_value("Table").run()
    table = page.dataframe[0].value.set_index(["measured", "valued"])
    assert set(table.index) == {(row, column) for row in ("All", *CATEGORIES) for column in ("All", *CATEGORIES)}
    with store.open_read_only(simulated_home) as connection:
        cube = reads.scores.score_cube(connection, "simulated")
        values = reads.values.policy_values(connection, "simulated", "bon", 16.0)
    alone = evaluate(
        cube, values, measure="kendall", test_set=TestSet(categories=("Chat",)), rl_categories=("Safety",)
    ).correlations["pearson"]
    shown = table.loc[("Chat", "Safety")]
    assert (shown["value"], shown["low"], shown["high"]) == (alone.value, alone.low, alone.high)


def test_responses_grow_on_the_same_prompts_and_for_the_same_annotations(
    simulated_home: Path, open_view: OpenPage
) -> None:
    page = open_view(VIEW, simulated_home, study="responses", responses="3")
    assert not page.exception
    page.segmented_control(key="view-responses").set_value("Table").run()
    table = page.dataframe[0].value
    same_prompts, same_budget = (table[table["held"] == held] for held in ("prompts", "budget"))
    assert same_prompts["responses"].tolist() == same_budget["responses"].tolist() == [2, 3, 4, 5]
    assert same_prompts["prompts"].unique().tolist() == [32]
    assert same_budget["prompts"].tolist() == [32, 21, 16, 12]
    assert same_prompts["value"].iloc[0] == same_budget["value"].iloc[0]


def test_the_planner_advises_the_best_of_every_split_under_every_measure(
    simulated_home: Path, open_view: OpenPage
) -> None:
    page = open_view(VIEW, simulated_home, study="budget", plan_budget="60", plan_noise="0.2")
    assert not page.exception
    page.segmented_control(key="view-plans").set_value("Table").run()
    table = page.dataframe[0].value
    assert set(zip(table["responses"], table["prompts"], strict=True)) == {(2, 30), (3, 20), (4, 15), (5, 12)}
    assert set(table["measure"]) == set(PLANNED)
    best = table.iloc[0]
    assert f"For 60 annotations, annotators flipping 20% of pairs: **{best.responses} responses" in said(page)
    assert f"judged by {best.title}" in said(page).replace("\\", "")
    page.number_input(key="choose.plan_budget").set_value(20).run()
    assert address(page)["plan-budget"] == ["20"]
    assert "For 20 annotations" in said(page)


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("kind", [{"categories": ("Chat",)}, {"M": 2}, {"constant": True}, {"R": 2}])
def test_odd_runs_explain_themselves(tmp_path: Path, open_view: OpenPage, kind: dict[str, object], study: str) -> None:
    page = open_view(VIEW, simulated.publish(tmp_path, **kind), study=study)  # type: ignore[arg-type]
    assert not page.exception
    assert not page.warning
    if kind == {"M": 2}:
        assert "takes three or more" in page.info[0].value
    elif kind == {"constant": True}:
        assert "cannot be distinguished from zero" in page.info[0].value
    else:
        assert not page.info


def test_a_choice_that_leaves_one_prompt_is_one_line(tmp_path: Path, open_view: OpenPage) -> None:
    home = simulated.publish(tmp_path, P=5, R=2)
    page = open_view(VIEW, home, study="budget", category="Safety")
    assert not page.exception
    assert "the choice leaves 1 RM" in page.warning[0].value


def test_an_empty_data_folder_says_which_command_to_run(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, tmp_path)
    assert not page.exception
    assert "righttree run --profile quick" in [code.value for code in page.code]


@pytest.mark.parametrize("study", STUDIES)
def test_controls_that_a_study_ignores_are_greyed_out_and_the_others_are_not(
    simulated_home: Path, open_view: OpenPage, study: str
) -> None:
    page = open_view(VIEW, simulated_home, study=study)
    assert not page.exception
    sidebar = page.sidebar
    controls = (*sidebar.selectbox, *sidebar.slider, *sidebar.number_input, *sidebar.select_slider)
    greyed = {str(control.key).removeprefix("choose.") for control in controls if control.disabled}
    assert greyed == set(IGNORED[study])
