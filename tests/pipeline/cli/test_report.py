"""`righttree report`: the file that it writes, and one line for what cannot be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipeline.__main__ import main
from tests.helpers import benchmark_study
from tests.helpers.benchmark_study import Benchmark


@pytest.fixture(scope="module")
def report_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    size = Benchmark(reward_models=3, prompts=20, most=4)
    return benchmark_study.publish(tmp_path_factory.mktemp("report-command"), size)


def test_it_writes_one_file_and_says_where(
    report_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(report_home))
    file = tmp_path / "card.html"
    options = ["--run", "benchmark", "--golden", "rm-01,label", "--seed", "3", "--output", str(file)]
    assert main(["report", "rm-02", *options]) == 0
    assert capfd.readouterr().out == f"wrote the report card of rm-02 to {file}\n"
    found = re.search(r'id="righttree-report">(.*?)</script>', file.read_text())
    assert found
    card = json.loads(found[1])
    assert card["judged_by"]["goldens"] == ["rm-01", "label"]
    assert card["provenance"]["command"] == "righttree report rm-02 --run benchmark --golden rm-01,label --seed 3"
    monkeypatch.chdir(tmp_path)
    assert main(["report", "rm-03"]) == 0
    assert (tmp_path / "report-rm-03.html").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["label"], "'label' counts as the truth here"),
        (["rm-02", "--golden", "rm-02"], "'rm-02' counts as the truth here"),
        (["nobody"], "no reward model 'nobody'; it has label, rm-01"),
        (["rm-01", "--run", "none"], "run 'none' is not in the warehouse"),
        (["rm-01", "--seed", "-1"], "seed is -1"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str],
    says: str,
    report_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(report_home))
    assert main(["report", *arguments]) == 2
    error = capfd.readouterr().err
    assert says in error
    assert error.count("\n") == 1
