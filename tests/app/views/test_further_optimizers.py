"""Policies of other algorithms than PPO are optimisers of their own on every page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.conftest import OpenPage
from tests.helpers.reading import charts, said
from tests.helpers.study import Study, publish
from warehouse import reads, store
from warehouse.schema import BY_WEIGHTING, RL_ALGORITHMS
from warehouse.study.curves.gain_laws import LAWS


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = Study(ppo_steps=(5, 10, 20), algorithms=("ppo", "reinforce++"), penalties=(0.5,))
    return publish(tmp_path_factory.mktemp("further-home"), study)


def test_every_algorithm_has_a_law_of_its_gain() -> None:
    assert set(LAWS) == {*BY_WEIGHTING, *RL_ALGORITHMS}


def test_explore_offers_it_and_says_its_name(explore: OpenPage, home: Path) -> None:
    page = explore(home, optimizer="reinforce++", strength="10")
    assert not page.exception
    assert "REINFORCE++ at step 10" in said(page)
    assert "REINFORCE++" in [option for box in page.selectbox for option in box.options] + [
        option for group in page.button_group for option in group.options
    ]


@pytest.mark.parametrize("view", ["overview", "overoptimisation", "measures", "reward_models", "responses"])
def test_every_page_shows_the_run(view: str, open_view: OpenPage, home: Path) -> None:
    page = open_view(view, home)
    assert not page.exception
    assert not page.error


def test_overoptimisation_draws_each_and_its_penalties(open_view: OpenPage, home: Path) -> None:
    plain, penalised = (open_view("overoptimisation", home, **query) for query in ({}, {"penalty": "0.5"}))
    assert not plain.exception
    assert not penalised.exception
    assert "Ignored" not in said(penalised)
    assert charts(plain) > 3


def test_curves_of_all_are_read_and_of_reward_models_none(home: Path) -> None:
    with store.open_read_only(home) as connection:
        curves = reads.policies.ppo_curves(connection, "simulated")
    assert {name.split("/")[0] for name in curves["model_id"].unique()} == {
        "ppo",
        "ppo-kl0.5",
        "reinforce++",
        "reinforce++-kl0.5",
    }
