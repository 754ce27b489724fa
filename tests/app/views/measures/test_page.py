"""The Measures page on runs of several kinds."""

from __future__ import annotations

from pathlib import Path

from tests.app.conftest import OpenPage
from tests.helpers import simulated
from warehouse.study import MEASURES


def test_the_page_ranks_every_measure_under_each_optimizer(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view("measures", simulated.publish(tmp_path, optimizers=("bon", "ppo")))
    assert not page.exception
    assert [heading.value for heading in page.header] == [
        "Correlation with NDR",
        "Against plain accuracy",
        "Where does it matter?",
    ]
    assert sum(line.value.startswith("Under **") for line in page.markdown) == 2
    (explained,) = [box for box in page.expander if box.label == "What each measure is"]
    assert explained.markdown[0].value.count("- **") == len(MEASURES)
    page.segmented_control(key="view-leaderboard").set_value("Table").run()
    table = page.dataframe[0].value
    assert len(table) == 2 * len(MEASURES)
    assert set(table["policies"]) == {"best-of-16", "PPO at step 16"}


def test_the_correlation_and_the_policies_of_a_link_are_shown(simulated_home: Path, open_view: OpenPage) -> None:
    page = open_view("measures", simulated_home, correlation="pearson", level="within", strength="4")
    assert not page.exception
    page.segmented_control(key="view-leaderboard").set_value("Table").run()
    assert page.dataframe[0].value["policies"].unique().tolist() == ["best-of-4"]
    assert any("has the greatest r on this test set:" in line.value for line in page.markdown)


def test_one_category_has_no_panels_of_its_own(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view("measures", simulated.publish(tmp_path, categories=("Chat",)))
    assert not page.exception
    assert "Where does it matter?" not in [heading.value for heading in page.header]


def test_two_reward_models_are_too_few_and_it_says_so(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view("measures", simulated.publish(tmp_path, M=2))
    assert not page.exception
    assert "takes three or more" in page.info[0].value


def test_where_nothing_is_defined_it_says_why(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view("measures", simulated.publish(tmp_path, constant=True))
    assert not page.exception
    assert "cannot be distinguished from zero" in page.info[0].value


def test_an_empty_data_folder_says_which_command_to_run(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view("measures", tmp_path)
    assert not page.exception
    assert "righttree run --profile quick" in [code.value for code in page.code]
