"""Pages of a run whose policies were optimised twice, with other seeds: means over seeds, and pages say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.conftest import OpenPage
from tests.helpers.reading import said
from tests.helpers.study import Study, publish


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = Study(ppo_steps=(5, 10, 20), algorithms=("rloo",), penalties=(0.5,), repeats=2)
    return publish(tmp_path_factory.mktemp("repeats-home"), study)


def test_explore_says_how_many_seeds_the_policies_are_of(explore: OpenPage, home: Path) -> None:
    assert "each policy is the mean of 2 seeds" in said(explore(home, optimizer="rloo", strength="10"))
    assert "seeds" not in said(explore(home, optimizer="bon", strength="8"))


@pytest.mark.parametrize("view", ["overview", "measures", "reward_models", "responses"])
def test_every_page_shows_the_run(view: str, open_view: OpenPage, home: Path) -> None:
    page = open_view(view, home)
    assert not page.exception
    assert not page.error


def test_how_responses_end_is_one_row_for_each_reward_model(open_view: OpenPage, home: Path) -> None:
    page = open_view("reward_models", home)
    (ended,) = [frame.value for frame in page.dataframe if "finished_share" in frame.value.columns]
    assert list(ended["reward_model"]) == ["rm-00", "rm-01", "rm-02", "rm-03"]
    assert set(ended["policies"]) == {"RLOO at step 20"}


@pytest.mark.parametrize("query", [{}, {"penalty": "0.5"}, {"golden": "rm-00", "proxy": "rm-01"}])
def test_overoptimisation_draws_means_over_seeds_and_the_training_of_each(
    open_view: OpenPage, home: Path, query: dict[str, str]
) -> None:
    page = open_view("overoptimisation", home, **query)
    assert not page.exception
    assert not page.error
    assert "mean of 2 seeds" in said(page)
    assert "One line per policy and seed" in said(page)
