"""The Reward models page on simulated runs, on odd ones, and without any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.access.warehouse import Snapshot
from app.components import figure
from app.components.formats import number
from app.views.reward_models import data
from tests.app.conftest import OpenPage
from tests.helpers.reading import charts, choices, figures, said
from tests.helpers.study import Study, publish
from warehouse import reads, store
from warehouse.metrics.model_scores import agreement
from warehouse.study import prepare
from warehouse.study.power import resolution
from warehouse.study.two_models import measure_draws

VIEW = "reward_models"


def test_the_page_shows_how_each_was_trained_and_all_its_figures(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home)
    assert not page.exception
    assert not page.warning
    shown = figures(page)
    assert (shown["Kind"], shown["Labels flipped"], shown["Training pairs"]) == ("flip", "0%", "200")
    assert shown["Trained"] == "head only"
    assert charts(page) == 10
    text = said(page)
    assert "4 reward models" in text
    assert "16 RM-test prompts" in text
    assert "resampling prompts" in text
    table = page.dataframe[0].value
    assert table["reward_model"].to_list() == ["rm-00", "rm-01", "rm-02", "rm-03"]
    assert (table["length_low"] <= table["length_correlation"]).all()


def test_the_table_holds_the_figures_of_the_measures(study_home: Path, open_view: OpenPage) -> None:
    table = open_view(VIEW, study_home).dataframe[0].value
    with store.open_read_only(study_home) as connection:
        cube = reads.scores.score_cube(connection, "simulated")
    found = agreement(prepare(cube, "accuracy"))
    expected = [found.share_MM[:, m].sum() / 3 for m in range(4)]
    assert table["mean_agreement"].to_list() == pytest.approx(expected)


def test_another_reward_model_and_golden_are_kept_in_the_link(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home)
    page.selectbox(key="choose.reward_model").set_value("rm-02").run()
    assert choices(page) == {"reward-model": ["rm-02"]}
    assert figures(page)["Labels flipped"] == "30%"
    page.selectbox(key="choose.golden").set_value("rm-03").run()
    assert choices(page) == {"reward-model": ["rm-02"], "golden": ["rm-03"]}
    assert "**rm\\-03** orders them" in said(page)
    again = open_view(VIEW, study_home, reward_model="rm-02", golden="rm-03", category=["Chat"])
    assert again.selectbox(key="choose.golden").value == "rm-03"
    assert "4 RM-test prompts (Chat)" in said(again)


def test_downloads_are_named_and_say_what_they_are_of(
    study_home: Path, open_view: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts: dict[str, set[str]] = {}
    show = figure.show

    def record(*arguments: Any, **options: Any) -> None:
        facts[options["file_name"].removeprefix("simulated-")] = set(options["facts"])
        show(*arguments, **options)

    monkeypatch.setattr(figure, "show", record)
    assert not open_view(VIEW, study_home, category=["Chat"]).exception
    of_training = {"rm-00-losses", "training-curves"}  # these are the same whichever test prompts are chosen
    of_scores = {"rm-00-reliability", "score-distributions", "reward-variance", "length-correlation", "agreement"}
    of_scores.add("rm-00-rm-01-prompts-needed")
    assert facts.keys() == of_training | of_scores
    assert {name for name, named in facts.items() if "category" in named} == of_scores


def test_nonsense_in_a_link_is_one_line_and_the_default(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home, reward_model="<script>", category="Poetry", golden="rm-00", vibes="1")
    assert not page.exception
    (warning,) = page.warning
    for word in ("reward\\-model", "category", "golden=rm\\-00", "vibes"):
        assert word in warning.value
    assert choices(page) == {}


def test_two_reward_models_and_one_category_are_enough(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, publish(tmp_path, Study(reward_models=2, categories=("Chat",))))
    assert not page.exception
    assert not page.pills
    assert charts(page) == 7


def test_two_reward_models_are_compared_in_accuracy_and_in_their_policies(
    study_home: Path, open_view: OpenPage
) -> None:
    page = open_view(VIEW, study_home, reward_model="rm-02")
    assert page.selectbox(key="choose.against").value == "rm-00"  # the best other one
    page.selectbox(key="choose.against").set_value("rm-03").run()
    assert not page.exception
    assert choices(page) == {"reward-model": ["rm-02"], "against": ["rm-03"]}
    text = said(page)
    assert "**rm\\-02** minus **rm\\-03**, averaged over 2 others as golden" in text
    with store.open_read_only(study_home) as connection:
        cube = reads.scores.score_cube(connection, "simulated")
    expected = resolution(measure_draws(cube, "rm-02", "rm-03"))
    assert f"**Accuracy**: {number(expected.difference.value, 3)} (" in text
    assert (
        f"16 RM-test prompts × 5 responses. The smallest difference that shows now is {expected.detectable():.3f}"
        in text
    )
    assert "**NDR, best-of-4**: " in text
    assert "16 RL-test prompts × 8 samples" in text
    assert "**NDR, PPO at step 40**: " in text
    page.selectbox(key="choose.reward_model").set_value("rm-03").run()
    assert choices(page) == {"reward-model": ["rm-03"]}


def test_a_comparison_says_what_it_lacks(tmp_path: Path, open_view: OpenPage) -> None:
    stopped = Study(ppo_steps=(5, 10), stops=(("rm-01", 5),))
    page = open_view(VIEW, publish(tmp_path, stopped), against="rm-01")
    assert not page.exception
    assert charts(page) == 9
    assert "no policy was optimised against 'rm\\-01' this far" in said(page)


def test_one_reward_model_alone_has_nobody_to_agree_with(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, publish(tmp_path, Study(reward_models=1)))
    assert not page.exception
    assert len(page.info) == 3


def test_scores_that_say_nothing_are_said_to(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, publish(tmp_path, Study(constant=True)))
    assert not page.exception
    assert "no order to be right about" in said(page)
    assert "nothing to agree on" in said(page)
    assert "Reward variance is undefined for rm\\-00" in said(page)


def test_a_hundred_reward_models_keep_the_page_readable(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, publish(tmp_path, Study(reward_models=100, prompts=2, samples=2, responses=4)))
    assert not page.exception
    assert "pairs of the first 60 of 100 reward models" in said(page)
    assert len(page.dataframe[0].value) == 100


def test_without_a_warehouse_the_page_says_how_to_get_one(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, tmp_path)
    assert not page.exception
    assert page.title[0].value == "Nothing to explore yet"


def test_the_best_other_is_the_one_of_greatest_validation_accuracy(study_home: Path) -> None:
    with store.open_read_only(study_home) as connection:
        models = reads.runs.reward_models(connection, "simulated")
    assert data.best_other(models, "rm-00") == "rm-01"
    assert data.best_other(models, "rm-03") == "rm-00"
    assert data.best_other(models.head(1), "rm-00") is None


def test_the_card_offers_a_report_with_the_chosen_golden(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home, reward_model="rm-02", golden="rm-00")
    assert [button.label for button in page.get("download_button") if button.key == "report-card"] == ["Report card"]
    build = store.build_id(study_home)
    assert build is not None
    snapshot = Snapshot(str(study_home), build)
    found = data.report_card(snapshot, "simulated", "rm-02", ("rm-00",)).decode()
    assert "righttree report rm-02 --run simulated --golden rm-00" in found
    models = data.warehouse.reward_models(snapshot, "simulated")
    assert data.is_judged(models, "rm-02", ())
    assert not data.is_judged(models, "rm-02", ("rm-02",))


def test_many_reward_models_are_searched_and_filtered_by_kind(
    study_home: Path, tmp_path: Path, open_view: OpenPage
) -> None:
    home = publish(tmp_path, Study(reward_models=12))
    page = open_view(VIEW, home)
    page.text_input(key="choose.search").set_value("RM-1").run()
    assert not page.exception
    assert choices(page) == {"search": ["RM-1"]}
    assert "2 of 12 reward models" in said(page)
    assert page.dataframe[0].value["reward_model"].to_list() == ["rm-10", "rm-11"]
    page.text_input(key="choose.search").set_value("nothing").run()
    assert "No reward model matches this search." in [info.value for info in page.info]
    few = open_view(VIEW, study_home)
    assert "choose.search" not in [field.key for field in few.text_input]
    kinds = data.matching(pl.DataFrame({"reward_model_id": ["a", "b"], "kind": ["flip", "seed"]}), "", ("seed",))
    assert kinds == ["b"]
