"""The Choose page on runs with a planted truth: its answer, figures and controls, and what it says without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.access import warehouse
from app.views.choose import data, outcome, predicted
from tests.app.conftest import OpenPage
from tests.helpers import benchmark_study
from tests.helpers.benchmark_study import LONG, OWN, REVERSED, Benchmark
from tests.helpers.study import Study, publish
from warehouse.study.choice.answer import Question

VIEW = "choose"


@pytest.fixture(scope="module")
def benchmark_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six reward models, labels, ragged prompts and texts."""
    return benchmark_study.publish(tmp_path_factory.mktemp("choose"), Benchmark(reward_models=6, prompts=150))


def subheaders(page) -> list[str]:  # type: ignore[no-untyped-def]
    return [heading.value for heading in page.header]


def test_the_answer_comes_first_then_who_is_worth_what_and_where_each_fails(
    benchmark_home: Path, open_view: OpenPage
) -> None:
    page = open_view(VIEW, benchmark_home)
    assert not page.exception
    assert page.title[0].value == "Which reward model should I take?"
    answer = page.markdown[0].value
    assert answer.startswith("These 150 prompts cannot tell which is best: rm")
    assert "take **rm" in answer
    assert "Golden: label, as it is golden only" in page.markdown[1].value
    assert "Length alone: always the longest of 4" in page.markdown[1].value
    assert subheaders(page) == [
        "What each reward model is worth",
        "How probable is it that A beats B?",
        "Where does it fail, by category?",
        "Which responses does it pick?",
        "Its worst picks",
        predicted.TITLE,
    ]
    few = "5 other reward models with such policies to learn from; it takes 12"
    assert any(few in element.value for element in page.markdown)


def test_the_planted_failures_are_in_the_tables(
    benchmark_home: Path, open_view: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_view(VIEW, benchmark_home)
    snapshot = warehouse.snapshot()
    assert snapshot is not None
    answer = data.answered(snapshot, "benchmark", Question())
    moved = data.ranking(answer)
    assert (moved["gain_per_nat"] > 0).any()
    assert moved["policy_kl"].unique().to_list() == [pytest.approx(np.log(4) - 3 / 4)]
    parts = {(row["reward_model"], row["part"]): row["value"] for row in data.by_part(answer, Question()).to_dicts()}
    assert parts[REVERSED, "Safety"] < min(parts[REVERSED, name] for name in ("Chat", "Reasoning", OWN))
    thirds = data.thirds(snapshot, "benchmark", Question(), 4)
    assert thirds.unit == "characters"
    assert thirds.golden.is_empty()  # labels have no order beyond right and wrong
    long = thirds.length.filter(reward_model=LONG, part="highest third")["value"].item()
    assert long > thirds.length.filter(part="highest third")["value"].median()
    assert data.ranking(answer)["reward_model"][0] in ("rm-01", "rm-02")


def test_worst_picks_show_foreign_texts_letter_by_letter(benchmark_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, benchmark_home, reward_model=REVERSED, shown="10")
    snapshot = warehouse.snapshot()
    assert snapshot is not None
    worst = data.worst(snapshot, "benchmark", Question(), REVERSED, 10)
    assert len(worst.picks) == 10
    assert all(picks.truth_of_pick == 0.0 and picks.truth_of_best == 1.0 for picks in worst.picks)
    shown = [element.value for element in page.text]
    for picks in worst.picks:
        assert picks.text in shown
        assert picks.pick in shown
        assert picks.best in shown
    assert any(f"The favourite of **{REVERSED[:2]}" in element.value for element in page.markdown)
    assert worst.share.value is not None
    assert any("is wrong on" in element.value for element in page.markdown)
    assert not any("<script>" in element.value for element in page.markdown)


def test_a_link_chooses_golden_category_measure_and_n(benchmark_home: Path, open_view: OpenPage) -> None:
    by_measure = open_view(VIEW, benchmark_home, by="accuracy", category=[OWN], golden=["rm-02"])
    assert not by_measure.warning
    assert "in accuracy" in by_measure.markdown[0].value
    assert "Golden: rm" in by_measure.markdown[1].value
    assert "Its worst picks" not in subheaders(by_measure)
    at_two = open_view(VIEW, benchmark_home, strength="2", category=["Safety"])
    assert "best-of-2" in at_two.markdown[0].value
    assert "30 prompts" in at_two.markdown[0].value


def test_what_a_link_asks_for_in_vain_is_named(benchmark_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, benchmark_home, by="luck", golden="nobody", strength="99", kl="50", category="Chess")
    assert not page.exception
    (note,) = page.warning
    for part in ("by=luck", "golden=nobody", "strength=99", "kl=50", "category=Chess"):
        assert part in note.value.replace("\\", "")


def test_without_texts_there_is_no_length_and_the_picks_say_so(tmp_path: Path, open_view: OpenPage) -> None:
    home = benchmark_study.publish(tmp_path, Benchmark(reward_models=4, prompts=40, texts=False))
    page = open_view(VIEW, home)
    assert not page.exception
    assert "Length alone" not in page.markdown[1].value
    notes = [note.value for note in page.info]
    assert "The texts of this run's responses were not stored." in notes
    assert any(note.startswith("Where picks are cannot be said") for note in notes)


def test_without_a_truth_the_others_judge_and_it_says_what_that_means(open_view: OpenPage, study_home: Path) -> None:
    page = open_view(VIEW, study_home)
    assert not page.exception
    assert "not which one is right" in page.markdown[1].value
    by_ppo = open_view(VIEW, study_home, by="ppo")
    assert not by_ppo.exception
    assert "by PPO at step 40" in by_ppo.markdown[0].value
    at_kl = open_view(VIEW, study_home, kl="0.5")
    assert "at a KL of 0.5 nats" in at_kl.markdown[0].value


@pytest.mark.parametrize(
    ("study", "says"),
    [
        (Study(reward_models=1), "choosing takes two reward models or more"),
        (Study(reward_models=2), "a third one or a truth"),
        (Study(constant=True), "gives all responses to a prompt the same score"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(
    study: Study, says: str, tmp_path: Path, open_view: OpenPage
) -> None:
    page = open_view(VIEW, publish(tmp_path, study))
    assert not page.exception
    assert any(says in note.value.replace("\\", "") for note in page.info)


def test_a_hundred_reward_models_keep_the_page_readable(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, publish(tmp_path, Study(reward_models=100, prompts=2, samples=4, responses=4)))
    assert not page.exception
    assert any("The chart shows the first 60 of 100 reward models." in caption.value for caption in page.caption)


def test_an_outcome_ranks_with_its_errors_and_shows_how_measures_rank_the_same(
    tmp_path: Path, open_view: OpenPage
) -> None:
    benchmark = Benchmark(reward_models=7, prompts=60)
    home = benchmark_study.publish(tmp_path, benchmark)
    benchmark_study.with_outcomes(home, benchmark)
    page = open_view(VIEW, home, by="outcome:elo", strength="4")
    assert not page.exception
    assert page.markdown[0].value.startswith("The errors of elo leave open which is best: rm")
    assert "take **rm" in page.markdown[0].value
    assert "It predicts elo with Kendall τ" in page.markdown[1].value
    assert "Without elo: rm" in page.markdown[1].value
    assert subheaders(page) == [
        "Reward models by elo",
        "How probable is it that A beats B?",
        "How do measures rank the same reward models?",
    ]
    without_errors = open_view(VIEW, home, by="outcome:win rate")
    assert not without_errors.exception
    assert "it has no standard errors" in without_errors.markdown[0].value
    assert "How probable is it that A beats B?" not in subheaders(without_errors)
    snapshot = warehouse.snapshot()
    assert snapshot is not None
    answer = outcome.answered(snapshot, benchmark.run_id, Question(by="outcome:elo"), "elo")
    ranks = outcome.measure_ranks(answer)
    assert ranks["part"][0] == "The outcome"
    assert ranks.filter(part="Accuracy")["rank"].to_list() == list(answer.ranks("accuracy"))
    named = open_view(VIEW, home, by="outcome:luck")
    assert "by=outcome:luck" in named.warning[0].value.replace("\\", "")


def test_a_reward_model_without_a_policy_is_predicted_and_any_other_can_be(tmp_path: Path, open_view: OpenPage) -> None:
    study = Study(reward_models=14, prompts=12, ppo_steps=(5,), stops=(("rm-05", 0),))
    page = open_view(VIEW, publish(tmp_path, study))
    assert not page.exception
    assert page.header[-1].value == predicted.TITLE
    shown = "\n".join(element.value for element in page.markdown).replace("\\", "")
    assert "PPO at step 5: NDR 0" in shown
    assert "predicted, from 13 reward models." in shown
    assert "Best-of-8: NDR" in shown
    assert "predicted without it, from 13 reward models. NDR is measured:" in shown
    (chosen,) = [box for box in page.selectbox if box.label == "Reward model to predict"]
    assert chosen.value == "rm-05"
    other = open_view(VIEW, tmp_path, predicted="rm-00", by="accuracy")
    assert not other.exception
    measured = [element.value for element in other.markdown if "PPO at step 5" in element.value.replace("\\", "")]
    assert "NDR is measured:" in measured[0].replace("\\", "").partition("PPO at step 5")[2]
    snapshot = warehouse.snapshot()
    assert snapshot is not None
    of_ppo = {each.optimizer: each for each in predicted.predictions(snapshot, study.run_id, ())}["ppo"]
    assert of_ppo.result is not None
    table = predicted.frame(of_ppo, of_ppo.result)
    assert table.height == 14
    assert table.filter(reward_model="rm-05")["measured"].to_list() == [None]
    assert table["measured"].null_count() == 1
    unknown = open_view(VIEW, tmp_path, predicted="nobody")
    assert "predicted=nobody" in unknown.warning[0].value.replace("\\", "")
