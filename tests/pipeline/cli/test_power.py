"""`righttree power` on simulated runs: what it prints, its JSON, and one line for what cannot be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.__main__ import main
from tests.helpers import study as helper
from tests.helpers.study import Study, publish
from warehouse import ingest

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with best-of-n and PPO; tests only read it."""
    study = Study(reward_models=5, prompts=16, rl_prompts=24, ppo_steps=(5, 10))
    return publish(tmp_path_factory.mktemp("power"), study)


@pytest.fixture(autouse=True)
def _in_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(home))


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["power", *options]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(printed(capsys, *options, "--json"))
    return result


def test_the_two_best_are_compared_over_all_others_unless_named(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys)
    assert {found["first"], found["second"]} == {"rm-00", "rm-01"}
    assert (found["optimizer"], found["strength"], found["power"]) == ("bon", 4.0, 0.8)
    assert found["in_measure"]["goldens"] == ["rm-02", "rm-03", "rm-04"]
    assert as_json(capsys, "--first", "rm-03")["second"] == "rm-00"
    alone = as_json(capsys, "--first", "rm-04", "--second", "rm-00", "--golden", "rm-01")
    assert alone["in_measure"]["goldens"] == alone["in_policies"]["goldens"] == ["rm-01"]
    assert alone["in_measure"]["value"] < 0


def test_its_json_has_the_names_that_the_notebook_page_promises(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "notebook.md").read_text()
    listed = page.partition("`righttree power --json` writes one object too:")[2].partition("\n## ")[0]
    found = as_json(capsys)
    part = found["in_policies"]
    assert {*found, *part, *part["needed"][0]} == set(re.findall(r"`([a-z_]+)`", listed))
    assert found["schema_version"] == 1


def test_more_responses_and_greater_differences_need_fewer_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "--difference", "0.02", "--difference", "0.04", "--second", "rm-03")
    for part in (found["in_measure"], found["in_policies"]):
        prompts = {(need["responses"], need["difference"]): need["prompts"] for need in part["needed"]}
        numbers = sorted({responses for responses, _ in prompts})
        assert len(prompts) == 2 * len(numbers)
        assert part["responses"] in numbers
        for difference in (0.02, 0.04):
            falling = [prompts[number, difference] for number in numbers]
            assert falling == sorted(falling, reverse=True)
        assert all(prompts[number, 0.04] <= prompts[number, 0.02] for number in numbers)
        assert len(part["needed_for_observed"]) == len(numbers)
    more = as_json(capsys, "--power", "0.95")["in_measure"]["detectable"]
    assert more > as_json(capsys)["in_measure"]["detectable"]


def test_the_text_says_what_is_detectable_now_and_warns_of_the_observed_difference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, "--optimizer", "ppo", "--measure", "spearman", "--difference", "0.03")
    assert "Spearman: " in text
    assert "64 RM-test prompts × 5 responses" in text
    assert "NDR of PPO at step 10: " in text
    assert "96 RL-test prompts × 2 responses" in text
    assert text.count("smallest detectable difference now: ") == 2
    assert "as uncertain as that difference itself" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--first", "nobody"), "no reward model 'nobody'; there are rm-00"),
        (("--first", "rm-01", "--second", "rm-01"), "both reward models are 'rm-01'"),
        (("--golden", "rm-00", "--first", "rm-00"), "choose a third reward model"),
        (("--difference", "0"), "difference is 0"),
        (("--power", "80"), "power is 80; it has to be from 0.5 to below 1"),
        (("--optimizer", "rloo"), "no policies of optimiser 'rloo'; it has: bon, ppo"),
        (("--n", "3"), "no policies of 'bon' at 3"),
        (("--measure", "vibes"), "no measure 'vibes'"),
        (("--run", "never"), "run 'never' is not in the warehouse"),
    ],
)
def test_bad_input_is_one_line(options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_run_without_policies_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path))
    rows = helper.rows(Study())
    rows["policy"] = rows["policy"].filter(pl.col("policy_id") == "initial")
    rows["policy_value"] = rows["policy_value"].filter(pl.col("policy_id") == "initial")
    ingest.publish(tmp_path, rows, "without policies")
    assert main(["power"]) == 2
    assert "has no policies of optimiser 'bon'; it has: none" in capsys.readouterr().err
