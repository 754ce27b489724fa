"""The examples of `docs/import.md`: each file is written as it stands there, each command is run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pipeline.__main__ import main
from warehouse import reads, store

TEXT = (Path(__file__).parent.parent / "docs" / "import.md").read_text()
BLOCKS = re.findall(r"```(\w+)(?: ([\w.-]+))?\n(.*?)```", TEXT, re.DOTALL)


def test_every_example_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    commands = 0
    for language, name, content in BLOCKS:
        if name:
            Path(name).write_text(content)
        elif language == "python":
            exec(compile(content, "docs/import.md", "exec"), {})
        else:
            for line in content.splitlines():
                assert main(shlex.split(line)[1:]) == 0, (line, capsys.readouterr().err)
                commands += 1
    assert commands >= 10
    with store.open_read_only(tmp_path / "home") as connection:
        runs = reads.runs.all_runs(connection)["run_id"].to_list()
        accuracies = [reads.runs.reward_models(connection, run)["validation_accuracy"].to_list() for run in runs]
        categories = [set(reads.runs.prompts(connection, run)["category"]) for run in runs]
    assert len(runs) == 10
    assert {"mine", "mine-again", "with-ppo", "gaps", "graded"} < set(runs)
    assert {"STEM", "Other"} in categories
    assert [0.5, 1.0] in accuracies  # large orders one of the two pairs of answers.jsonl right, small both
    assert {"Reasoning", "Chat"} in categories


def test_every_layout_and_every_optional_column_has_its_place() -> None:
    for word in ("long", "wide", "rewardbench", "rm-bench", "category", "subset", "prompt", "response", "split"):
        assert word in TEXT.lower()
