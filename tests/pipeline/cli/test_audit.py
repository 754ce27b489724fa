"""`righttree audit` on an imported test set with planted faults: what it prints, its JSON, and the file of items."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.__main__ import main
from tests.helpers import benchmark_study
from tests.helpers.benchmark_study import Benchmark
from tests.helpers.faulty import FaultySet, faulty_set
from tests.helpers.faulty import main as faulty_main
from warehouse.study.audit.items import REASONS

DOCS = Path(__file__).parents[3] / "docs" / "audit.md"


@pytest.fixture(scope="module")
def faulty() -> FaultySet:
    return faulty_set(20, each=60)


@pytest.fixture(scope="module")
def home(faulty: FaultySet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with that test set, imported; tests only read it."""
    home = tmp_path_factory.mktemp("audit")
    faulty.frame().write_parquet(home / "scores.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIGHTTREE_HOME", str(home))
        assert main(["import", str(home / "scores.parquet"), "--run-id", "faulty"]) == 0
    return home


@pytest.fixture(autouse=True)
def _in_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(home))


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["audit", "--replicates", "100", *options]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(printed(capsys, *options, "--json"))
    return result


def test_planted_faults_are_listed_with_their_items(capsys: pytest.CaptureFixture[str], faulty: FaultySet) -> None:
    result = as_json(capsys)
    assert result["goldens"] == ["label"]
    assert len(result["reward_models"]) == 20
    of_reason: dict[str, set[int]] = {name: set() for name in REASONS}
    for row in result["items"]:
        for name in filter(None, row["reasons"].split(", ")):
            of_reason[name].add(int(row["prompt_id"].removeprefix("item-").partition("#")[0]))
    for name in ("redundant", "same responses", "undefined"):
        assert of_reason[name] == faulty.faults[name]
    assert {row["reason"]: row["items"] for row in result["reasons"]} == {
        name: len(items) for name, items in of_reason.items()
    }
    assert len(result["items"]) == len(faulty.prompts)


def test_the_text_begins_with_a_summary_and_ends_with_what_it_means(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--items", "3")
    lines = text.splitlines()
    assert lines[0] == "Audit of the test set of run faulty: 240 items, 20 reward models, golden label"
    assert "20 redundant, 10 same responses" in lines[1]
    assert "Oddities / easy: saturated" in lines
    assert "Oddities / noise: at chance" in lines
    assert "The 3 worst of " in text
    assert text.index("all items") < text.index("Oddities / easy  ") < text.index("The 3 worst")
    assert "by chance" in lines[-1] or "no test" in lines[-1]


def test_subsets_are_judged_by_what_they_predict_and_tell_apart(capsys: pytest.CaptureFixture[str]) -> None:
    result = as_json(capsys)
    subsets = {row["subset"] or row["category"] or "all": row for row in result["subsets"]}
    assert list(subsets) == ["all", "Oddities", "easy", "noise", "Skills", "hard", "plain"]
    assert (result["optimizer"], result["strength"]) == ("bon", 8.0)
    assert subsets["plain"]["pairs_apart"] > subsets["noise"]["pairs_apart"]
    assert subsets["plain"]["tau"] > 0.4 > abs(subsets["noise"]["tau"])
    assert subsets["easy"]["tau"] is None
    assert subsets["all"]["tau_difference"] is None


def test_the_table_of_items_is_written_as_csv_and_parquet(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    items = as_json(capsys, "--export", str(tmp_path / "items.parquet"))["items"]
    assert pl.read_parquet(tmp_path / "items.parquet").to_dicts() == items
    printed(capsys, "--export", str(tmp_path / "items.csv"))
    assert pl.read_csv(tmp_path / "items.csv")["prompt_id"].to_list() == [row["prompt_id"] for row in items]


def test_another_golden_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    result = as_json(capsys, "faulty", "--golden", "rm-19")
    assert result["goldens"] == ["rm-19"]
    assert "rm-19" not in result["reward_models"]
    assert "label" not in result["reward_models"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--golden", "nobody"), "'nobody'"),
        (("--optimizer", "ppo"), "no policies of optimiser 'ppo'"),
        (("--export", "items.txt"), "has to end in .csv or .parquet"),
        (("other-run",), "'other-run'"),
    ],
    ids=["golden", "optimizer", "export", "run"],
)
def test_what_cannot_be_is_one_line(capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str) -> None:
    assert main(["audit", *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_an_outcome_stands_in_the_place_of_the_policies(
    capsys: pytest.CaptureFixture[str], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(home, tmp_path / "copy", symlinks=True)
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "copy"))
    lines = [f"rm-{m:02d},elo,{1000 + 10 * m},5" for m in range(20)]
    (tmp_path / "elo.csv").write_text("\n".join(["reward_model,outcome,value,standard_error", *lines, ""]))
    assert main(["outcomes", str(tmp_path / "elo.csv"), "--run", "faulty"]) == 0
    capsys.readouterr()
    result = as_json(capsys, "--outcome", "elo")
    subsets = {row["subset"] or row["category"] or "all": row for row in result["subsets"]}
    assert (result["predicts"], result["strength"]) == ("elo", None)
    assert subsets["Skills"]["tau"] > 0.5
    assert subsets["Skills"]["p_predicts"] < 0.05 < subsets["noise"]["p_predicts"]
    assert "predicts elo. * it does: p below" in printed(capsys, "--outcome", "elo")
    assert main(["audit", "--outcome", "nothing"]) == 2


def test_the_example_of_the_page_prints_what_the_page_shows(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = DOCS.read_text()
    block, shown = page.partition("```sh\n")[2].partition("```")[0], page.partition("```text\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    for line in block.splitlines():
        program, *arguments = shlex.split(line)
        if program == "python":
            monkeypatch.setattr("sys.argv", arguments[1:])
            faulty_main()
        else:
            capsys.readouterr()
            assert main(arguments) == 0
    assert capsys.readouterr().out == shown
    columns = set(pl.read_csv(tmp_path / "items.csv").columns)
    assert columns == set(re.findall(r"\w+", page.partition("has a row for each item: `")[2].partition("`")[0]))


def test_its_json_has_the_names_that_the_page_promises(capsys: pytest.CaptureFixture[str]) -> None:
    promised = DOCS.read_text().partition("`--json` prints one object: ")[2].partition("whose")[0]
    assert set(as_json(capsys)) == set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", promised))))


def test_scores_of_pure_noise_are_said_to_be_at_chance(
    capsys: pytest.CaptureFixture[str], faulty: FaultySet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path))
    rng = np.random.default_rng(3)
    frame = faulty.frame().with_columns(
        pl.Series(name, rng.normal(size=faulty.frame().height)) for name in faulty.reward_models[:-1]
    )
    frame.write_parquet(tmp_path / "noise.parquet")
    assert main(["import", str(tmp_path / "noise.parquet")]) == 0
    capsys.readouterr()
    text = printed(capsys)
    assert "all items: at chance" in text.splitlines()
    assert "suspect label" not in text


def test_by_default_n_is_one_that_half_of_the_prompts_have_samples_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_have_eight = Benchmark(reward_models=5, prompts=60, most=9)
    monkeypatch.setenv("RIGHTTREE_HOME", str(benchmark_study.publish(tmp_path, few_have_eight)))
    assert as_json(capsys)["strength"] == 4.0
    assert as_json(capsys, "--n", "8")["strength"] == 8.0
