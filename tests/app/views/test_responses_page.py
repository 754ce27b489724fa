"""The Responses page on simulated runs, on odd ones, and without any; text of models is text."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from app.views.responses import data
from tests.app.conftest import OpenPage
from tests.helpers.reading import charts, choices, said
from tests.helpers.study import MARKUP, Study, publish
from warehouse import reads, store

VIEW = "responses"


def texts(home_page: object) -> list[str]:
    return [element.value for element in home_page.text]  # type: ignore[attr-defined]


def test_the_first_prompt_is_shown_with_scores_picks_and_texts(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home)
    assert not page.exception
    assert not page.warning
    assert charts(page) == 1
    assert "16 RL-test prompts" in said(page)
    assert "picked by" in said(page)
    assert texts(page)[0] == "Question 0 of chat-hard-rl?"


def test_the_text_of_models_is_never_read_as_markup(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home)
    assert MARKUP in texts(page)
    assert "<script>" not in said(page)
    assert not page.get("html")


def test_ppo_stands_step_by_step_beside_the_initial_policy(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home, prompt="chat-rl/01", reward_model="rm-02", sample="2")
    assert not page.exception
    assert not page.warning
    shown = texts(page)[-5:]
    assert shown == [
        "Answer 1 of initial to chat-rl/01.",
        *(f"Answer 1 of ppo-{step}/rm-02 to chat-rl/01." for step in (5, 10, 20, 40)),
    ]
    assert "**Step 40** · KL 4.00 nats · ppo\\-40/rm\\-02" in said(page)


def test_without_ppo_the_page_says_so(without_ppo_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, without_ppo_home)
    assert not page.exception
    assert "No trained policy answered this prompt: the run has none" in said(page)
    page = open_view(VIEW, without_ppo_home, split="rm_test")
    assert "Trained policies answer RL-test prompts" in said(page)


def test_a_search_finds_prompts_by_their_responses_and_stays_in_the_link(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home)
    page.text_input(key="choose.search").set_value("answer 0 of PPO").run()
    assert "No prompt and no response here contains" in said(page)
    page.text_input(key="choose.search").set_value("of ppo-40/rm-01 to safety").run()
    assert not page.exception
    assert "4 RL-test prompts with" in said(page)
    assert choices(page) == {"search": ["of ppo-40/rm-01 to safety"]}


def test_next_and_previous_walk_through_the_prompts_found(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home, category="Chat")
    assert page.button(key="go-Previous").disabled
    page.button(key="go-Next").click().run()
    assert choices(page) == {"category": ["Chat"], "prompt": ["chat-rl/01"]}
    page.button(key="go-Previous").click().run()
    assert page.selectbox(key="choose.prompt").value == "chat-rl/00"


def test_another_category_lets_go_of_the_prompt_without_a_warning(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home, category="Chat", prompt="chat-rl/02")
    page.pills(key="choose.category").set_value(["Safety"]).run()
    assert not page.warning
    assert page.selectbox(key="choose.prompt").value == "safety-rl/00"


def test_a_ppo_checkpoints_responses_can_be_looked_at(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home, policy="ppo-40/rm-00")
    assert not page.exception
    assert "Answer 1 of ppo-40/rm-00 to chat-hard-rl/00." in texts(page)
    assert charts(page) == 1


def test_nonsense_in_a_link_is_one_line_and_the_default(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(
        VIEW,
        study_home,
        split="train",
        prompt="nowhere",
        shown="5",
        sample="99",
        order="loud",
        policy="x",
        vibes="1",
    )
    assert not page.exception
    (warning,) = page.warning
    for word in ("split", "prompt=nowhere", "shown", "sample", "order", "policy", "vibes"):
        assert word in warning.value
    assert choices(page) == {}


@pytest.mark.parametrize("study", [Study(reward_models=2, categories=("Chat",)), Study(constant=True)])
def test_odd_runs_are_shown_too(tmp_path: Path, open_view: OpenPage, study: Study) -> None:
    page = open_view(VIEW, publish(tmp_path, study), shown="16")
    assert not page.exception
    assert charts(page) == 1
    assert ("picked by" in said(page)) != study.constant


def test_a_strip_of_many_reward_models_is_cut_and_says_so(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, publish(tmp_path, Study(reward_models=100, prompts=1, samples=64, categories=("Chat",))))
    assert not page.exception
    assert "The first 46 of 100 reward models" in said(page)


def test_without_a_warehouse_the_page_says_how_to_get_one(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, tmp_path)
    assert not page.exception
    assert page.title[0].value == "Nothing to explore yet"


def test_picks_are_best_of_ns_and_scores_are_in_spreads_from_the_initial_mean(study_home: Path) -> None:
    with store.open_read_only(study_home) as connection:
        samples = reads.scores.initial_scores(connection, "simulated", "rl_test")
        scores_MPN, models = samples.scores_MPR, samples.reward_models
        place = samples.prompts.index("chat-rl/01")
        frame = pl.DataFrame(
            [(m, n, float(scores_MPN[i, place, n])) for i, m in enumerate(models) for n in range(8)],
            schema=["reward_model_id", "sample", "score"],
            orient="row",
        )
    found = data.standardised(frame, frame, dict.fromkeys(models, 2.0) | {"rm-03": 0.0})
    assert found.filter("pick")["sample"].to_list() == scores_MPN[:, place].argmax(axis=1).tolist()
    row = found.row(by_predicate=(pl.col("reward_model_id") == "rm-01") & (pl.col("sample") == 3), named=True)
    expected = (scores_MPN[1, place, 3] - scores_MPN[1, place].mean()) / 2
    assert row["standard"] == pytest.approx(expected, abs=1e-6)
    assert found.filter(reward_model_id="rm-03")["standard"].null_count() == 8


def test_without_an_algorithm_no_reward_model_was_optimised_against(recwarn: pytest.WarningsRecorder) -> None:
    answered = pl.DataFrame({"optimizer": ["none", "ppo"], "reward_model_id": [None, "rm-01"]})
    assert data.optimised_against(answered, None) == []
    assert data.optimised_against(answered, "ppo") == ["rm-01"]
    assert [str(warning.message) for warning in recwarn] == []


def test_many_checkpoints_are_thinned_out_with_both_ends_kept() -> None:
    steps = pl.DataFrame({"optimizer": "ppo", "reward_model_id": "a", "strength": range(100), "policy_id": "p"})
    kept = data.checkpoints(steps, "ppo", "a")["strength"].to_list()
    assert (len(kept), kept[0], kept[-1]) == (12, 0, 99)
