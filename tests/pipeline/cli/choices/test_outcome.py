"""`righttree choose --outcome`: the order by an outcome, groups by its errors, and how measures rank the same ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from tests.helpers import benchmark_study
from tests.helpers.benchmark_study import Benchmark, with_outcomes

PAGE = Path(__file__).parents[4] / "docs" / "choose.md"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven reward models with labels: all but one have an Elo with errors, three a win rate without."""
    benchmark = Benchmark(reward_models=7, prompts=60)
    home = benchmark_study.publish(tmp_path_factory.mktemp("choose-outcome"), benchmark)
    with_outcomes(home, benchmark)
    return home


@pytest.fixture(autouse=True)
def _in_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(home))


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["choose", *options]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(printed(capsys, *options, "--json"))
    return result


def test_reward_models_are_ranked_by_the_outcome_with_groups_and_intervals_for_all_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = as_json(capsys, "--outcome", "elo")
    rows = found["reward_models"]
    assert [row["reward_model"] for row in rows] == [f"rm-0{m}" for m in range(1, 7)]
    assert [row["value"] for row in rows] == [1100 - 15 * m for m in range(6)]
    assert rows[0]["high"] - rows[0]["low"] == pytest.approx(2 * 1.96 * 8, rel=1e-3)
    assert rows[0]["together"]["low"] < rows[0]["low"]
    assert found["may_be_best"] == ["rm-01", "rm-02", "rm-03"]  # 30 below: z = 2.65, and all 15 pairs take 2.8
    assert rows[0]["beats"]["rm-02"] == pytest.approx(0.908, abs=1e-3)  # Φ(15 / √128)
    assert found["left_out"] == ["rm-07"]
    text = printed(capsys, "--outcome", "elo")
    assert text.startswith(
        "The errors of elo leave open which is best: rm-01 is not clearly better than rm-02 and rm-03."
    )
    assert "take rm-01: elo 1,100.0 (" in text
    assert "Without elo: rm-07." in text


def test_beside_it_every_measure_ranks_the_same_ones_and_says_how_well_it_predicts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = as_json(capsys, "--outcome", "elo")
    assert found["goldens"] == ["label"]
    by_measure = {measure["measure"]: measure for measure in found["measures"]}
    ranks = by_measure["accuracy"]["ranks"]
    assert sorted(ranks.values()) == [1, 2, 3, 4, 5, 6]
    by_accuracy = json.loads(printed(capsys, "--by", "accuracy", "--json"))
    own = [row["reward_model"] for row in by_accuracy["reward_models"] if row["reward_model"] != "rm-07"]
    assert sorted(ranks, key=ranks.get) == own
    assert main(["measure", "--outcome", "elo", "--golden", "label", "--json"]) == 0
    kendall = json.loads(capsys.readouterr().out)["measures"][0]["kendall"]
    assert by_measure["accuracy"]["kendall"] == {end: kendall[end] for end in ("value", "low", "high")}
    said = (
        r"Accuracy on 60 RM-test prompts \(the truth: label\) would take rm-0\d\. It predicts elo with Kendall τ −?\d"
    )
    assert re.search(said, printed(capsys, "--outcome", "elo"))


def test_an_outcome_without_errors_has_no_intervals_and_no_groups_and_few_say_nothing_of_measures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, "--outcome", "win rate")
    assert text.startswith("By win rate take rm-03: 0.700. How sure that is cannot be said: it has no standard errors.")
    assert "no standard errors, so no intervals and no groups" in text
    assert "3 reward models, fewer than 5, say nothing about how well it predicts win rate" in text
    found = as_json(capsys, "--outcome", "win rate")
    assert found["behind"] is None
    assert found["reward_models"][0]["together"] == {"value": 0.7, "low": None, "high": None}
    assert found["reward_models"][0]["p"]["rm-01"] is None


def test_its_json_has_the_names_that_its_page_promises(capsys: pytest.CaptureFixture[str]) -> None:
    listed = PAGE.read_text().partition("`righttree choose --outcome NAME --json`")[2].partition("\n## ")[0]
    found = as_json(capsys, "--outcome", "elo")
    names = {*found, *found["reward_models"][0], *found["measures"][0]}
    assert names == set(re.findall(r"`([a-z_]+)`", listed))
    assert (found["schema"], found["schema_version"]) == ("outcome", 1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--outcome", "elos"), "run 'benchmark' has no outcome 'elos'; it has elo, win rate"),
        (("--outcome", "elo", "--n", "4"), "--n and --kl are about policies; with --outcome leave them out"),
        (("--outcome", "elo", "--category", "Chess"), "no RM-test prompts of category 'Chess'"),
    ],
)
def test_what_cannot_be_is_one_line(options: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["choose", *options]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
