"""Tilted policies are one more optimiser on every page, with the prompts that they are defined on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.app.conftest import OpenPage
from tests.helpers.reading import charts, said
from tests.helpers.study import Study, publish
from warehouse import reads, store

STUDY = Study(reward_models=3, prompts=6, samples=24, ppo_steps=(5, 10, 20), tilted=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("tilted-home"), STUDY)


def usual(home: Path) -> float:
    with store.open_read_only(home) as connection:
        return reads.policies.usual_strength(connection, STUDY.run_id, "tilted")


@pytest.mark.parametrize("view", ["overview", "measures", "test_sets", "reward_models", "responses"])
def test_every_page_shows_the_run(view: str, open_view: OpenPage, home: Path) -> None:
    page = open_view(view, home)
    assert not page.exception
    assert not page.error


def test_explore_calls_it_by_its_strength_and_compares_at_a_kl(explore: OpenPage, home: Path) -> None:
    at_strength = explore(home, optimizer="tilted", strength="0.5")
    assert not at_strength.exception
    assert "tilted at λ = 0.5" in said(at_strength)
    assert "Tilted: λ" in [slider.label for slider in at_strength.select_slider]
    left_out = r"valued on \d+ RL-test prompts of 24, as the others have too few samples"
    assert re.search(left_out, said(explore(home, optimizer="tilted")))
    assert not re.search(left_out, said(explore(home, optimizer="bon")))
    at_kl = explore(home, optimizer="tilted", kl="0.1")
    assert not at_kl.exception
    assert "tilted at a KL of 0.1 nats" in said(at_kl)
    assert "Ignored" not in said(at_kl)


def test_choose_ranks_by_it_and_counts_the_prompts_left_out(open_view: OpenPage, home: Path) -> None:
    page = open_view("choose", home, by="tilted", strength=f"{usual(home):g}")
    assert not page.exception
    assert f"Tilted at λ = {usual(home):g}" in said(page)
    assert "left out, with too few effective samples for some scorer" in said(page)
    least = open_view("choose", home, by="tilted", strength="0.25")
    assert "effective samples" not in said(least)


def test_overoptimisation_has_a_panel_of_it_and_says_on_which_prompts(open_view: OpenPage, home: Path) -> None:
    page = open_view("overoptimisation", home)
    assert not page.exception
    assert charts(page) == 5 * 3 + 1 + 2
    assert "Tilted: degree of overoptimisation γ" in said(page)
    assert "of 24 RL-test prompts where all are defined" in said(page)


def test_policies_whose_responses_are_cut_off_bring_a_warning(open_view: OpenPage, home: Path) -> None:
    page = open_view("overoptimisation", home)
    (warning,) = [each.value for each in page.warning]
    assert warning == (
        f"Tilted at λ = {usual(home):g}: 30 % of the responses are cut off at the length limit where it optimises "
        "rm\\-02, and more than 20 % for 1 of 3 policies."
    )


def test_the_reward_models_page_lists_how_the_responses_of_each_policy_end(open_view: OpenPage, home: Path) -> None:
    table = next(frame.value for frame in open_view("reward_models", home).dataframe if "finished_share" in frame.value)
    tilted = table[table["policies"] == f"tilted at λ = {usual(home):g}"]
    assert tilted["reward_model"].to_list() == ["rm-00", "rm-01", "rm-02"]
    assert tilted["finished_share"].to_list() == pytest.approx([0.9, 0.8, 0.7])
    assert "PPO at step 20" in table["policies"].to_list()
    assert list(table.columns) == ["reward_model", "policies", "finished_share", "mean_tokens"]


def test_the_responses_page_says_how_the_policys_responses_end(open_view: OpenPage, home: Path) -> None:
    text = said(open_view("responses", home))
    assert "96% of this policy's responses to the RL-test prompts end by themselves" in text
