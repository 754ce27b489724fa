"""The Explore page on a real run, and without one."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from app.access import frames, warehouse
from app.state import Policies, Selection
from app.views.explore import data, text
from tests.app.conftest import OpenPage
from tests.conftest import righttree
from tests.helpers import simulated
from tests.helpers.publishing import copy_of, publish_again
from tests.helpers.small import REWARD_MODELS, evaluation
from tests.helpers.study import Study, publish
from warehouse import reads, store
from warehouse.reads.trained_picks import trained_picks


def figures(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def everything_said(page: AppTest) -> str:
    return "\n".join(str(element.value) for element in [*page.title, *page.markdown, *page.caption])


def table(page: AppTest) -> pd.DataFrame:
    """The table of pairs, which stands where the scatter was."""
    page.segmented_control(key="view-scatter").set_value("Table").run()
    assert not page.exception
    return page.dataframe[0].value


def address(page: AppTest) -> dict[str, object]:
    return {name: page.query_params[name] for name in page.query_params if name != "run"}


def test_the_page_shows_the_same_figures_as_the_command_line(smoke_home: Path, explore: OpenPage) -> None:
    printed = json.loads(righttree("measure", "--measure", "accuracy", "--json", home=smoke_home).stdout)
    page = explore(smoke_home)
    assert not page.exception
    shown = figures(page)
    for title, name in (("Kendall τ", "kendall"), ("Spearman ρ", "spearman"), ("Pearson r", "pearson"), ("MRR", "mrr")):
        value = printed[name]["value"]
        assert shown[title] == ("undefined" if value is None else f"{value:.2f}".replace("-", "−"))
    assert f"{printed['rm_test_prompts']} RM-test prompts" in everything_said(page)


def test_changing_the_measure_changes_the_figures_and_the_address(simulated_home: Path, explore: OpenPage) -> None:
    page = explore(simulated_home)
    before = table(page)["value"].to_list()
    page.selectbox(key="choose.measure").set_value("brier").run()
    assert not page.exception
    assert page.dataframe[0].value["value"].to_list() != before
    assert page.title[0].value.startswith("Brier score")
    assert address(page) == {"measure": "brier", "table": "scatter"}


def test_a_link_reopens_the_same_choice(simulated_home: Path, explore: OpenPage) -> None:
    page = explore(simulated_home, measure="kendall", category=["Chat", "Safety"], responses="4", rl_category="Chat")
    assert not page.exception
    assert not page.warning
    assert page.selectbox(key="choose.measure").value == "kendall"
    assert page.pills(key="choose.categories").value == ["Chat", "Safety"]
    assert page.slider(key="choose.responses").value == 4
    assert page.pills(key="choose.rl_categories").value == ["Chat"]


def test_nonsense_in_a_link_is_one_line_and_the_default(simulated_home: Path, explore: OpenPage) -> None:
    page = explore(simulated_home, measure="vibes", responses="99", golden="<script>", colour="red")
    assert not page.exception
    (warning,) = page.warning
    for name in ("measure", "responses", "golden", "colour"):
        assert name in warning.value
    assert page.selectbox(key="choose.measure").value == "accuracy"
    assert address(page) == {}


def test_a_category_narrows_the_test_set_and_its_subsets(simulated_home: Path, explore: OpenPage) -> None:
    page = explore(simulated_home)
    all_subsets = page.multiselect(key="choose.subsets").options
    page.pills(key="choose.categories").set_value(["Chat"]).run()
    assert not page.exception
    assert set(page.multiselect(key="choose.subsets").options) < set(all_subsets)
    assert "RM-test prompts (Chat)" in everything_said(page)


def test_every_construction_of_a_test_set_can_be_chosen_and_is_said(simulated_home: Path, explore: OpenPage) -> None:
    page = explore(simulated_home)
    page.slider(key="choose.responses").set_value(4).run()
    page.number_input(key="choose.budget").set_value(64).run()
    page.selectbox(key="choose.rank_bins").set_value(2).run()
    page.selectbox(key="choose.bin_pair").set_value((2, 1)).run()
    page.select_slider(key="choose.noise").set_value(0.1).run()
    page.number_input(key="choose.seed").set_value(5).run()
    assert not page.exception
    assert address(page) == {
        "responses": "4",
        "budget": "64",
        "rank-bins": "2",
        "chosen-bin": "2",
        "rejected-bin": "1",
        "noise": "0.1",
        "seed": "5",
    }
    said = everything_said(page)
    assert "16 RM-test prompts × 4 responses (a budget of 64 annotations, 2 rank bins, 2 over 1" in said
    assert page.slider(key="choose.prompts").disabled
    page.slider(key="choose.responses").set_value(5).run()
    assert "responses" not in address(page)


def test_correlations_within_goldens_are_shown_when_asked_for(simulated_home: Path, explore: OpenPage) -> None:
    page = explore(simulated_home, level="within")
    assert not page.exception
    assert "Kendall τ within goldens" in figures(page)
    assert figures(page)["MRR"] == figures(explore(simulated_home))["MRR"]


def test_best_of_one_explains_that_nothing_is_defined(simulated_home: Path, explore: OpenPage) -> None:
    page = explore(simulated_home, strength="1")
    assert not page.exception
    assert "initial policy" in page.info[0].value
    assert not figures(page)
    page.segmented_control(key="view-matrix").set_value("Table").run()
    assert page.dataframe[0].value["ndr"].isna().all()


def test_a_choice_that_leaves_too_few_prompts_is_one_line(tmp_path: Path, explore: OpenPage) -> None:
    page = explore(simulated.publish(tmp_path, P=32, subsets=8))
    page.multiselect(key="choose.subsets").set_value(["chat-0"]).run()
    assert not page.exception
    assert len(page.warning) == 1


def test_a_pair_in_the_address_opens_the_drill_down_with_texts_as_text(simulated_home: Path, explore: OpenPage) -> None:
    with store.open_read_only(simulated_home) as connection:
        run_id = newest_run(simulated_home)
        golden, proxy = reads.runs.reward_models(connection, run_id)["reward_model_id"].to_list()[:2]
        strength = max(reads.policies.strengths(connection, run_id)["strength"])
        picks = reads.responses.picks(connection, run_id, golden, proxy, int(strength))
    page = explore(simulated_home, golden=golden, proxy=proxy)
    assert not page.exception
    texts = [element.value for element in page.text]
    row = table(page).query("golden == @golden and proxy == @proxy").iloc[0]
    assert figures(page)["NDR"] == f"{row['ndr']:.3f}".replace("-", "−")
    first = picks.row(0, named=True)
    assert texts[:3] == [first["prompt"], first["golden_pick"], first["proxy_pick"]]


def test_choosing_golden_and_proxy_by_hand_opens_the_drill_down(simulated_home: Path, explore: OpenPage) -> None:
    page = explore(simulated_home)
    assert "NDR" not in figures(page)
    golden, proxy = page.selectbox(key="choose.golden").options[:2]
    page.selectbox(key="choose.golden").set_value(golden).run()
    assert golden not in page.selectbox(key="choose.proxy").options
    page.selectbox(key="choose.proxy").set_value(proxy).run()
    assert not page.exception
    assert "NDR" in figures(page)
    assert address(page) == {"golden": golden, "proxy": proxy}


def test_an_empty_data_folder_says_which_command_to_run(tmp_path: Path, explore: OpenPage) -> None:
    page = explore(tmp_path)
    assert not page.exception
    assert page.title[0].value == "Nothing to explore yet"
    assert "righttree run --profile quick" in [code.value for code in page.code]


def test_a_new_build_is_read_without_restart_and_its_run_is_offered_and_does_not_take_over(
    simulated_home: Path, tmp_path: Path, explore: OpenPage
) -> None:
    home = copy_of(simulated_home, tmp_path / "home")
    first = newest_run(home)
    page = explore(home, measure="brier")
    publish_again(home, "later")
    page.run()
    assert not page.exception
    assert page.selectbox(key="choose.run").value == first
    assert "New run: **later**" in everything_said(page)
    page.button(key="new-run.show").click().run()
    assert "Run **later**" in everything_said(page)
    assert "New run" not in everything_said(page)
    assert page.selectbox(key="choose.measure").value == "brier"
    publish_again(home, "latest")
    page.run().button(key="new-run.dismiss").click().run()
    assert page.selectbox(key="choose.run").value == "later"
    assert "New run" not in everything_said(page.run())


def test_a_link_to_a_run_that_is_gone_offers_another_and_shows_no_other_figures(
    simulated_home: Path, explore: OpenPage
) -> None:
    page = explore(simulated_home, run="long-gone", measure="brier")
    assert not page.exception
    assert page.title[0].value == "Run long\\-gone is not here"
    assert page.get("vega_lite_chart") == []
    assert page.query_params["run"] in ("long-gone", ["long-gone"])
    first = newest_run(simulated_home)
    page.button(key=f"open-run.{first}").click().run()
    assert page.selectbox(key="choose.run").value == first
    assert page.selectbox(key="choose.measure").value == "brier"
    assert page.get("vega_lite_chart")


def test_a_warehouse_that_cannot_be_read_is_one_line(tmp_path: Path, explore: OpenPage) -> None:
    (tmp_path / "warehouse-broken.duckdb").write_text("no database")
    (tmp_path / "warehouse.duckdb").symlink_to("warehouse-broken.duckdb")
    page = explore(tmp_path)
    assert not page.exception
    assert "righttree publish" in page.warning[0].value


def test_a_choice_made_before_is_not_computed_again(simulated_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(simulated_home))
    snapshot = warehouse.snapshot()
    assert snapshot is not None
    run_id = newest_run(simulated_home)
    once = data.evaluation(snapshot, run_id, Selection(measure="xi"))
    data.evaluation(snapshot, run_id, Selection(measure="spearman"))
    assert data.evaluation(snapshot, run_id, Selection(measure="xi")) is once


def newest_run(home: Path) -> str:
    """Id of the newest run of a data folder."""
    with store.open_read_only(home) as connection:
        newest = reads.runs.default_run(connection)
    assert newest is not None
    return newest


def test_two_reward_models_show_their_pairs_and_why_there_is_no_correlation(tmp_path: Path, explore: OpenPage) -> None:
    page = explore(simulated.publish(tmp_path, M=2))
    assert not page.exception
    assert figures(page)["Kendall τ"] == "undefined"
    assert "three reward models or more" in everything_said(page)
    assert len(table(page)) == 2


def test_where_no_pair_is_defined_the_page_says_why(tmp_path: Path, explore: OpenPage) -> None:
    page = explore(simulated.publish(tmp_path, constant=True))
    assert not page.exception
    assert "cannot be distinguished from zero" in page.info[0].value


def test_one_category_has_neither_panels_nor_a_choice_of_categories(tmp_path: Path, explore: OpenPage) -> None:
    page = explore(simulated.publish(tmp_path, categories=("Chat",)))
    assert not page.exception
    assert "Category by category" not in [heading.value for heading in page.header]
    assert "choose.categories" not in [pills.key for pills in page.pills]


def test_many_pairs_are_drawn_as_a_density(tmp_path: Path, simulated_home: Path, explore: OpenPage) -> None:
    shaded = {}
    for home in (simulated_home, simulated.publish(tmp_path, M=46, P=12, Q=12, N=4)):
        page = explore(home)
        assert not page.exception
        specs = [json.loads(chart.proto.spec) for chart in page.get("vega_lite_chart")]
        colors = [layer.get("encoding", {}).get("color", {}) for spec in specs for layer in spec.get("layer", [])]
        shaded[home] = sum(color.get("field") == "rows" for color in colors)
    few, many = shaded.values()
    assert few == 0 < many


def test_a_link_of_an_earlier_version_shows_the_measure_in_the_cells(simulated_home: Path, explore: OpenPage) -> None:
    page = explore(simulated_home, cells="error")
    assert not page.exception
    assert not page.warning
    assert address(page) == {"cells": "value"}
    drawn = json.loads(page.get("vega_lite_chart")[1].proto.spec)
    colors = [layer["encoding"].get("color", {}) for layer in drawn["layer"]]
    fields = {color["field"] for color in colors if "field" in color}
    assert fields <= set(frames.pairs(evaluation(), REWARD_MODELS).columns)
    assert fields != {"ndr"}


def test_the_drilldown_shows_the_answers_of_the_chosen_optimisers_own_policies(
    study_home: Path, explore: OpenPage
) -> None:
    page = explore(study_home, golden="rm-00", proxy="rm-03", optimizer="ppo")
    assert not page.exception
    shown = everything_said(page)
    assert "What PPO at step 40 answers" in [heading.value for heading in page.subheader]
    assert "The first answer of either policy to each of 16 RL-test prompts" in shown
    answers = {element.value for element in page.text}
    with store.open_read_only(study_home) as connection:
        own = trained_picks(connection, "simulated", "rm-00", "rm-03", optimizer="ppo", strength=40.0)
    assert own is not None
    assert set(own.rows["proxy_pick"].head(3)) <= answers
    page.segmented_control(key="choose.optimizer").set_value("bon").run()
    assert "What best-of-8 picks" in [heading.value for heading in page.subheader]


def test_the_two_answers_are_called_by_whose_they_are() -> None:
    none = pl.DataFrame()
    assert text.sides(data.Answers(none, Policies("bon", 8.0))) == ("Golden picks", "Proxy picks")
    golden, proxy = text.sides(data.Answers(none, Policies("ppo", 40.0)))
    assert (golden, proxy) == ("Optimised against the golden", "Optimised against the proxy")
    assert text.sides(data.Answers(none, Policies("ppo", 40.0), by_golden=False))[0] == "Initial policy π₀"


def test_policies_without_stored_answers_say_that_best_of_n_stands_in(tmp_path: Path, explore: OpenPage) -> None:
    study = Study(ppo_steps=(5, 10), stops=(("rm-03", 5),), tilted=True, samples=64)
    home = publish(tmp_path, study)
    stopped = explore(home, golden="rm-00", proxy="rm-03", optimizer="ppo", strength="10")
    assert not stopped.exception
    assert "The responses of this pair's PPO policies are not stored" in everything_said(stopped)
    tilted = explore(home, golden="rm-00", proxy="rm-01", optimizer="tilted")
    assert "policies have no responses of their own" in everything_said(tilted)
