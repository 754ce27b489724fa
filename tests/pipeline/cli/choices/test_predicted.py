"""`righttree predict` on a run in which one reward model has no PPO policy: its text, its JSON, and one-line errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from tests.helpers import benchmark_study, study
from tests.helpers.benchmark_study import Benchmark
from tests.helpers.study import Study

PAGE = Path(__file__).parents[4] / "docs" / "choose.md"
NEW = "rm-05"


@pytest.fixture(scope="module")
def ppo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen reward models with best-of-n, and PPO against all but one."""
    whole = Study(reward_models=14, prompts=25, responses=8, ppo_steps=(5,), stops=((NEW, 0),))
    return study.publish(tmp_path_factory.mktemp("predict"), whole)


@pytest.fixture(scope="module")
def benchmark_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six reward models and labels."""
    return benchmark_study.publish(tmp_path_factory.mktemp("predict-few"), Benchmark(reward_models=6, prompts=40))


@pytest.fixture
def home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder: Path = request.getfixturevalue(getattr(request, "param", "ppo_home"))
    monkeypatch.setenv("RIGHTTREE_HOME", str(folder))
    return folder


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["predict", *options]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(printed(capsys, *options, "--json"))
    return result


def test_without_a_policy_it_is_predicted_and_with_one_the_measured_ndr_is_beside_the_prediction(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, NEW)
    figure = r"−?\d+\.\d\d"
    assert re.search(
        rf"PPO at step 5: NDR {figure} \({figure} to {figure}\) predicted, from 13 reward models\.\n", text
    )
    assert re.search(rf"Best-of-8: NDR .* predicted without it, from 13 .*\. NDR is measured: {figure}\.", text)
    assert "Figures are averaged over 13 goldens." in text
    assert "80% or more of them, and typically 90%" in text
    assert re.search(rf"line on accuracy +{figure}, \d+ of \d+, {figure} +–", text)  # all are of one kind


def test_its_json_predicts_near_what_was_measured(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by = {each["optimizer"]: each for each in as_json(capsys, NEW)["optimizers"]}
    best = by["bon"]
    assert best["low"] <= best["value"] <= best["high"]
    assert best["value"] == pytest.approx(best["measured"], abs=0.15)
    assert by["ppo"]["measured"] is None
    assert [row["golden"] for row in best["goldens"]] == [f"rm-{m:02}" for m in range(14) if f"rm-{m:02}" != NEW]
    of = {(row["predictor"], row["left_out"], row["of"]): row for row in best["records"]}
    assert of["features", "reward model", "means"]["error"] < 0.5 * of["mean", "reward model", "means"]["error"]
    assert of["features", "reward model", "pairs"]["predicted"] > 150
    assert of["features", "kind", "means"]["predicted"] == 0


def test_its_json_has_the_names_that_its_page_promises(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = as_json(capsys, NEW)
    best = result["optimizers"][0]
    names = {*result, *best, *best["goldens"][0], *best["records"][0]}
    listed = PAGE.read_text().partition("`righttree predict NAME --json`")[2].partition("\n## ")[0]
    assert names == set(re.findall(r"`([a-z_]+)`", listed))


@pytest.mark.parametrize("home", ["benchmark_home"], indirect=True)
def test_of_a_run_with_few_reward_models_it_says_how_many_it_takes(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, "rm-02")
    assert "no prediction: 5 other reward models with such policies to learn from; it takes 12." in text
    assert "is measured: " in text
    (best,) = (each for each in as_json(capsys, "rm-02")["optimizers"] if each["optimizer"] == "bon")
    assert (best["value"], best["learnt_from"], [row["golden"] for row in best["goldens"]]) == (None, 5, ["label"])


@pytest.mark.parametrize("home", ["benchmark_home"], indirect=True)
def test_what_cannot_be_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, part in (
        (("nobody",), "no reward model 'nobody'"),
        (("label",), "'label' counts as the truth here"),
        (("rm-02", "--golden", "rm-02"), "'rm-02' counts as the truth here"),
        (("rm-02", "--golden", "luck"), "no scorer 'luck' to be golden"),
    ):
        assert main(["predict", *options]) == 2
        error = capsys.readouterr().err
        assert part in error
        assert error.count("\n") == 1
