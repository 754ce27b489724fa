"""Explore, Measures and Test sets on other responses than the initial policy's, and on policies at the same KL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.conftest import OpenPage
from tests.helpers.reading import address, choices, said
from tests.helpers.study import Study, publish
from warehouse import reads, store
from warehouse.study import ScoreCube, evaluate

RUN = "simulated"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = Study(ppo_steps=(5, 10, 20), sources=("initial-t1.50",), paraphrases=True, stops=(("rm-01", 10),))
    return publish(tmp_path_factory.mktemp("sources-home"), study)


def test_measures_are_of_the_chosen_sources_responses(home: Path, explore: OpenPage) -> None:
    with store.open_read_only(home) as connection:
        cube = reads.scores.score_cube(connection, RUN, "initial-t1.50")
        values = reads.values.policy_values(connection, RUN, "bon", 8)
    page = explore(home)
    page.multiselect(key="choose.sources").set_value(["initial-t1.50"]).run()
    assert not page.exception
    assert choices(page) == {"source": ["initial-t1.50"]}
    assert "5 responses of Initial policy at temperature 1\\.50" in said(page)
    assert shown(page) == expected(cube, values)

    page.multiselect(key="choose.sources").set_value(["initial", "initial-t1.50"]).run()
    with store.open_read_only(home) as connection:
        both = reads.scores.score_cube(connection, RUN, ["initial", "initial-t1.50"])
    assert page.slider(key="choose.responses").max == 10
    assert shown(page) == expected(both, values)


def test_a_share_of_the_prompts_is_paraphrased_by_the_seed(home: Path, explore: OpenPage) -> None:
    page = explore(home, paraphrase="0.5", seed="3")
    assert not page.exception
    assert "50% of prompts paraphrased, seed 3" in said(page)
    with store.open_read_only(home) as connection:
        cube = reads.scores.score_cube(connection, RUN, "initial", 0.5, 3)
        values = reads.values.policy_values(connection, RUN, "bon", 8)
    assert shown(page) == expected(cube, values)
    page.number_input(key="choose.seed").set_value(4).run()
    assert choices(page) == {"paraphrase": ["0.5"], "seed": ["4"]}
    page.multiselect(key="choose.sources").set_value(["initial-t1.50"]).run()
    assert "did not answer paraphrases" in page.warning[0].value
    assert "paraphrase" not in address(page)


def test_policies_are_compared_at_the_same_kl(home: Path, explore: OpenPage) -> None:
    page = explore(home, optimizer="ppo")
    page.toggle(key="choose.by_kl").set_value(True).run()
    assert choices(page) == {"optimizer": ["ppo"], "kl": ["1"]}
    page.number_input(key="choose.kl").set_value(1.5).run()
    assert not page.exception
    assert "PPO at a KL of 1.5 nats" in said(page)
    with store.open_read_only(home) as connection:
        cube = reads.scores.score_cube(connection, RUN)
        values = reads.values.policy_values_at_kl(connection, RUN, "ppo", 1.5)
    assert values.optimised_M is not None
    assert values.optimised_M.tolist() == [True, False, True, True]
    assert shown(page) == expected(cube, values)
    page.toggle(key="choose.by_kl").set_value(False).run()
    assert choices(page) == {"optimizer": ["ppo"]}


@pytest.mark.parametrize("view", ["measures", "test_sets"])
def test_other_pages_of_test_sets_take_both(home: Path, open_view: OpenPage, view: str) -> None:
    page = open_view(view, home, source="initial-t1.50", kl="1", optimizer="ppo")
    assert not page.exception
    assert not page.warning
    assert "PPO at a KL of 1 nats" in said(page)


def shown(page: object) -> dict[str, str]:
    """The tiles' correlations, as they are written."""
    return {metric.label: metric.value for metric in page.metric if metric.label in TILES}  # type: ignore[attr-defined]


TILES = {"Kendall τ": "kendall", "Spearman ρ": "spearman", "Pearson r": "pearson", "MRR": "mrr"}


def expected(cube: ScoreCube, values: object) -> dict[str, str]:
    """The same from the measures themselves."""
    found = evaluate(cube, values).correlations  # type: ignore[arg-type]
    return {title: f"{found[name].value:.2f}" for title, name in TILES.items()}
