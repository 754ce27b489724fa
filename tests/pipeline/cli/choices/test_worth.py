"""`righttree choose` on runs with a planted truth: what it prints, its JSON, and one line for what cannot be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.__main__ import main
from tests.helpers import benchmark_study, study
from tests.helpers.benchmark_study import OWN, REVERSED, Benchmark
from tests.helpers.study import Study
from warehouse import reads, store
from warehouse.metrics.policies.best_of_n import pick_probabilities

DOCS = Path(__file__).parents[4] / "docs"


@pytest.fixture(scope="module")
def benchmark_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six reward models, labels, and ragged prompts."""
    return benchmark_study.publish(tmp_path_factory.mktemp("choose"), Benchmark(reward_models=6, prompts=150))


@pytest.fixture(scope="module")
def ppo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four reward models without a truth, best-of-n and PPO."""
    return study.publish(tmp_path_factory.mktemp("choose-ppo"), Study(prompts=12, ppo_steps=(5, 10)))


@pytest.fixture
def home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder: Path = request.getfixturevalue(getattr(request, "param", "benchmark_home"))
    monkeypatch.setenv("RIGHTTREE_HOME", str(folder))
    return folder


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["choose", *options]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(printed(capsys, *options, "--json"))
    return result


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["choose", *options]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_labels_are_the_truth_and_the_planted_best_two_cannot_be_told_apart(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys)
    first, truth, *_ = text.splitlines()
    assert re.match(
        r"These 150 prompts cannot tell which is best: rm-0[12] is not clearly better than .*rm-0[12]", first
    )
    assert "right by best-of-4" in first
    assert truth == "Golden: label, as it is golden only."
    assert re.search(r"more prompts like these|no number of prompts", text)
    assert "Length alone: always the longest of 4 responses reaches" in text
    assert "lengths in characters" in text


def test_its_json_has_the_figures_that_a_plain_computation_gives(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(capsys, "--n", "2")
    assert found["goldens"] == ["label"]
    assert (found["unit"], found["strength"], found["prompts"]) == ("share", 2, 150)
    with store.open_read_only(home) as connection:
        cube = reads.scores.initial_scores(connection, "benchmark", "rl_test")
    label, model = cube.reward_models.index("label"), cube.reward_models.index("rm-05")
    right = []
    for p, count in enumerate(cube.counts_P):
        order = np.argsort(cube.scores_MPR[model, p, :count])
        right.append(cube.scores_MPR[label, p, :count][order] @ pick_probabilities(int(count), 2))
    row = next(row for row in found["reward_models"] if row["reward_model"] == "rm-05")
    assert row["value"] == pytest.approx(np.mean(right))
    half = 1.976 * np.std(right, ddof=1) / np.sqrt(150)
    assert row["high"] - row["low"] == pytest.approx(2 * half, rel=1e-3)
    assert row["together"]["low"] < row["low"]
    assert [row["rank"] for row in found["reward_models"]] == [1, 2, 3, 4, 5, 6]
    assert found["take"] == found["may_be_best"][0]


def test_in_a_category_another_one_may_be_worst(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "--category", "Safety")
    assert found["prompts"] == 30
    assert found["reward_models"][-1]["reward_model"] == REVERSED
    everywhere = {(part["reward_model"], part["category"]): part["value"] for part in as_json(capsys)["categories"]}
    assert everywhere[REVERSED, "Safety"] < everywhere[REVERSED, "Chat"] - 0.3
    assert (REVERSED, OWN) in everywhere


def test_an_n_that_few_prompts_have_samples_for_says_how_many_are_left_out(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(capsys, "--n", "10")
    assert 0 < found["prompts"] < 150
    assert found["prompts"] + found["fewer_samples"] == 150
    assert f"{found['fewer_samples']} prompts left out, with fewer samples than n." in printed(capsys, "--n", "10")


def test_by_a_measure_ranks_as_the_measure_does(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "--by", "accuracy")
    assert found["unit"] == "measure"
    assert found["length"] is None
    values = [row["value"] for row in found["reward_models"]]
    assert values == sorted(values, reverse=True)
    assert {row["reward_model"] for row in found["reward_models"][:2]} == {"rm-01", "rm-02"}


def test_a_named_golden_is_not_a_candidate_and_several_are_averaged(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = as_json(capsys, "--golden", "rm-02")
    assert alone["unit"] == "sd"
    assert "rm-02" not in {row["reward_model"] for row in alone["reward_models"]}
    both = as_json(capsys, "--golden", "rm-01,rm-02")
    assert both["goldens"] == ["rm-01", "rm-02"]
    assert len(both["reward_models"]) == 6


@pytest.mark.parametrize("home", ["ppo_home"], indirect=True)
def test_without_a_truth_it_says_that_the_others_judge(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys)
    assert "no scorer of this run is the truth" in text
    assert "judged by the 3 others" in text
    assert as_json(capsys)["reward_models"][0]["reward_model"] in ("rm-00", "rm-01")


@pytest.mark.parametrize("home", ["ppo_home"], indirect=True)
def test_ppo_and_policies_at_a_kl_are_ranked_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    last = as_json(capsys, "--by", "ppo")
    assert last["strength"] == 10.0
    first = as_json(capsys, "--by", "ppo", "--n", "5")
    assert first["reward_models"] != last["reward_models"]
    at_kl = as_json(capsys, "--kl", "0.3")
    assert at_kl["strength"] is None
    low, middle, high = (
        np.mean([row["value"] for row in found["reward_models"]])
        for found in (as_json(capsys, "--n", "2"), at_kl, as_json(capsys, "--n", "3"))
    )
    assert low < middle < high


@pytest.mark.parametrize("home", ["ppo_home"], indirect=True)
def test_gain_per_nat_divides_by_the_kl_of_each_policy(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_ppo = as_json(capsys, "--by", "ppo", "--n", "5")
    assert by_ppo["without_kl"] == 0
    for row in by_ppo["reward_models"]:
        assert row["policy_kl"] == pytest.approx(0.5)  # as it was simulated
        assert row["gain_per_nat"]["value"] == pytest.approx(row["value"] / 0.5)
        assert row["gain_per_nat"]["low"] == pytest.approx(row["low"] / 0.5)
        assert row["efficiency"]["value"] == pytest.approx(max(row["value"], 0.0) ** 2)
    at_kl = as_json(capsys, "--kl", "0.3")
    assert {row["policy_kl"] for row in at_kl["reward_models"]} == {0.3}
    alone = as_json(capsys, "--n", "1")
    assert alone["without_kl"] == 4
    assert "4 reward models without them: the KL is unknown or not above 0" in printed(capsys, "--n", "1")
    assert "gain per nat" not in printed(capsys, "--by", "accuracy")


def test_its_json_has_the_names_that_its_page_promises(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = (DOCS / "choose.md").read_text().partition("## The JSON")[2].partition("\n## ")[0]
    found = as_json(capsys)
    names = {*found, *found["reward_models"][0], *found["categories"][0], *found["length"], *found["more"]}
    assert names == set(re.findall(r"`([a-z_]+)`", listed))
    assert found["schema_version"] == 1


def test_what_cannot_be_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no scorer 'nobody' to be golden" in refused(capsys, "--golden", "nobody")
    assert "by is 'luck'; choose a measure (accuracy" in refused(capsys, "--by", "luck")
    assert "best of 40: 0 of these prompts have so many samples; the most are 12" in refused(capsys, "--n", "40")
    assert "n is 2.5" in refused(capsys, "--n", "2.5")
    assert "n is 0; best-of-n draws 1 sample or more" in refused(capsys, "--n", "0")
    assert "no RL-test prompts of category 'Chess'" in refused(capsys, "--category", "Chess")
    assert "--kl is 9 nats; no policy gets that far" in refused(capsys, "--kl", "9")
