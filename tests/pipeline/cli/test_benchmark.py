"""`righttree benchmark` on files as RewardBench 2 writes them: text, JSON, and one line for a run of no benchmark."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.runs.exchange import import_files

SUBSETS = ["Math", "Math", "Focus", "Ties", "Ties"]
IDS = ["0", "1", "0", "ref:0", "tied:0"]
CORRECT = [1, 1, 1, 1, 2]
SCORES = {
    "good": [[2, 1, 0, 0], [1, 0, 0, 0], [3, 1, 1, 1], [2, 0], [3, 2.5, 0]],
    "poor": [[2, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1], [0, 2], [3, 1, 2]],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of RewardBench 2 and one of nothing that is known; tests only read them."""
    folder = tmp_path_factory.mktemp("benchmark")
    paths = []
    for model, scores in SCORES.items():
        given = {"scores": scores, "subset": SUBSETS, "id": IDS, "num_correct": CORRECT, "model": f"lab/{model}"}
        texts = [[f"answer {place}" for place in range(len(row))] for row in scores]
        paths.append(folder / f"{model}.json")
        paths[-1].write_text(json.dumps({"text": texts} | given))
    import_files(folder / "home", paths, "rb2", "auto")
    rows = ["p1,r1,0,1", "p1,r2,1,0", "p2,r1,0,1", "p2,r2,2,0"]
    (folder / "plain.csv").write_text("\n".join(["prompt_id,response_id,a,b", *rows, ""]))
    import_files(folder / "home", [folder / "plain.csv"], "plain", "auto")
    return folder / "home"


@pytest.fixture(autouse=True)
def _in_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(home))


def test_scores_are_the_benchmarks_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--run", "rb2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    (found,) = result["benchmarks"]
    scores = {row["reward_model"]: row["scores"] for row in found["reward_models"]}
    # math of `poor`: 1 and ½; ties of `good`: all right, the smaller gap is 2, the spread ½: 1 and tanh(3) percent
    assert scores["lab/good"]["Math"] == 1.0
    assert scores["lab/poor"]["Math"] == 0.75
    assert scores["lab/poor"]["Focus"] == 0.0
    assert scores["lab/good"]["Ties"] == pytest.approx(1 + 0.01 * 0.99505475)
    assert scores["lab/good"]["Average"] == pytest.approx((1 + 1 + scores["lab/good"]["Ties"]) / 3)
    assert "no prompts of Safety" in found["lacks"]


def test_text_has_the_best_first_and_says_what_the_run_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--run", "rb2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("RewardBench 2: 5 prompts, 2 reward models")
    assert [line.split()[0] for line in lines[3:5]] == ["lab/good", "lab/poor"]
    assert "  no prompts of Factuality" in lines


def test_the_sample_file_has_scores_in_every_section_of_rewardbench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the commands beside it in examples/README.md, from the repository's root."""
    root = Path(__file__).parents[3]
    (row,) = (
        line for line in (root / "examples" / "README.md").read_text().splitlines() if "`rewardbench.csv`" in line
    )
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path))
    monkeypatch.chdir(root)
    for command in re.findall(r"`righttree ([^`]*)`", row):
        assert main(shlex.split(command)) == 0
    printed = capsys.readouterr().out.splitlines()
    first = printed.index(next(line for line in printed if line.startswith("RewardBench: 16 prompts, 3 reward models")))
    parts, prompts, *rows = printed[first + 1 : first + 6]
    assert parts.split() == ["Chat", "Chat", "Hard", "Safety", "Reasoning", "Average"]
    assert prompts.split()[1:] == ["4", "4", "4", "4", "16"]
    assert [row.split()[0] for row in rows] == ["large", "medium", "small"]
    hard = 100 * (1 - 37 / (100 + 134 + 37))  # wrong once, in the pair of mt-bench-hard, which weighs 37
    assert [float(cell) for cell in rows[0].split()[1:5]] == pytest.approx([100, hard, 100, 100], abs=0.05)


def test_a_run_of_no_benchmark_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--run", "plain"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "no labels" in error
