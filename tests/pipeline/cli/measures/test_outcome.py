"""`righttree measure --outcome`: what it prints, its JSON, and what it says where nothing can be said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.__main__ import main
from tests.helpers.study import Study, publish
from warehouse import ingest

PAGE = Path(__file__).parents[4] / "docs" / "notebook.md"
STUDY = Study(reward_models=8, prompts=12)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight reward models with an outcome that falls with their flip rates, and one of three of them; only read."""
    home = publish(tmp_path_factory.mktemp("outcomes"), STUDY)
    luck = [3.0, -4.0, 1.0, 0.0, -2.0, 5.0, -3.0, 0.0]
    rows = [
        {"reward_model_id": name, "outcome": "elo", "value": 1000.0 - 10.0 * m + luck[m], "standard_error": 4.0}
        for m, name in enumerate(STUDY.names)
    ]
    rows += [{"reward_model_id": name, "outcome": "-loss", "value": -1.0 - m} for m, name in enumerate(STUDY.names[:3])]
    ingest.replace_table(home, "simulated", "outcome", pl.DataFrame(rows, infer_schema_length=None), "test")
    return home


@pytest.fixture(autouse=True)
def _in_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(home))


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["measure", *options]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(printed(capsys, *options, "--json"))
    return result


def test_its_json_has_the_names_that_the_notebook_page_promises(capsys: pytest.CaptureFixture[str]) -> None:
    listed = PAGE.read_text().partition("`righttree measure --outcome NAME --json`")[2].partition("\n## ")[0]
    listed = listed.partition("\n`righttree ")[0]
    found = as_json(capsys, "--outcome", "elo", "--compare", "spearman,accuracy")
    measure = found["measures"][0]
    names = {*found, *measure, *measure["kendall"], *measure["kendall"]["difference"], *measure["points"][0]}
    assert names == set(re.findall(r"`([a-z_]+)`", listed))
    assert (found["schema"], found["schema_version"]) == ("outcome", 1)


def test_a_measure_is_correlated_with_the_outcome_over_reward_models(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "--outcome", "elo")
    (measure,) = found["measures"]
    assert [point["reward_model"] for point in measure["points"]] == STUDY.names
    assert [point["outcome"] for point in measure["points"]][:2] == [1003.0, 986.0]
    assert found["known_errors"] == found["reward_models"] == 8
    kendall = measure["kendall"]
    assert kendall["sample"]["value"] > 0.7
    assert kendall["low"] <= kendall["value"] <= kendall["high"]
    assert set(kendall["without"]) == set(STUDY.names)
    assert kendall["influential"] in STUDY.names


def test_the_test_set_of_the_options_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "--outcome", "elo", "--category", "Safety", "--responses", "3")
    assert found["rm_test_prompts"] == 12
    whole = as_json(capsys, "--outcome", "elo")
    assert whole["rm_test_prompts"] == 48
    assert found["measures"][0]["points"] != whole["measures"][0]["points"]


def test_all_measures_are_compared_with_accuracy_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "--outcome", "elo", "--measure", "all")
    by_name = {measure["measure"]: measure["pearson"] for measure in found["measures"]}
    assert found["second"] == "accuracy"
    assert by_name["accuracy"]["difference"]["value"] is None
    for name, figure in by_name.items():
        if name != "accuracy":
            difference = figure["sample"]["value"] - by_name["accuracy"]["sample"]["value"]
            assert figure["difference"]["value"] == pytest.approx(difference)
    text = printed(capsys, "--outcome", "elo", "--measure", "all")
    assert "14 measures against outcome elo, run simulated" in text
    assert "hold for all at once" in text


def test_the_text_says_what_was_taken_off_who_decides_and_every_point(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--outcome", "elo")
    assert "accuracy against outcome elo, run simulated" in text
    assert re.search(r"8 reward models; standard errors of 8, so \d+% of its variance is no error", text)
    assert re.search(
        r"with one reward model left out, plain τ is from 0\.\d+ to [01]\.\d+; the most influential is rm-", text
    )
    assert "intervals are rough: 8 reward models" in text
    assert re.search(r"rm-00 +0\.\d+  \[0\.\d+, 0\.\d+\]  1003 ± 4", text)


def test_below_five_reward_models_it_says_that_nothing_can_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--outcome", "loss")
    assert "3 reward models with this outcome, fewer than 5: nothing can be said about others" in text
    assert "kendall" not in text
    found = as_json(capsys, "--outcome", "loss")
    assert found["outcome"] == "-loss"
    assert found["measures"][0]["kendall"]["value"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--outcome", "arena"), "run 'simulated' has no outcome 'arena'; it has -loss, elo"),
        (("--outcome", "elo", "--measure", "acc"), "no measure 'acc'"),
        (("--outcome", "elo", "--compare", "accuracy"), "give two measures"),
        (("--outcome", "elo", "--export", "x.csv"), "--export writes pairs of reward models"),
    ],
)
def test_bad_input_is_one_line(options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", *options]) == 2
    assert message in capsys.readouterr().err
