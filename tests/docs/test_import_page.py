"""The examples of `docs/import.md` and `docs/formats.md`: each file is written as shown, each command is run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pipeline.__main__ import main
from warehouse import exchange, reads, store

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {name: (DOCS / name).read_text() for name in ("import.md", "formats.md")}


def taken(page: str, capsys: pytest.CaptureFixture[str]) -> int:
    """Write the files of a page into the current folder and run its commands; returns how many."""
    commands = 0
    for language, name, content in re.findall(r"```(\w+)(?: ([\w./-]+))?\n(.*?)```", PAGES[page], re.DOTALL):
        if name:
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(content)
        elif language == "python":
            exec(compile(content, f"docs/{page}", "exec"), {})
        else:
            for line in content.splitlines():
                assert main(shlex.split(line)[1:]) == 0, (line, capsys.readouterr().err)
                commands += 1
    return commands


def test_every_example_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert taken("import.md", capsys) >= 10
    with store.open_read_only(tmp_path / "home") as connection:
        runs = reads.runs.all_runs(connection)["run_id"].to_list()
        accuracies = [reads.runs.reward_models(connection, run)["validation_accuracy"].to_list() for run in runs]
        categories = [set(reads.runs.prompts(connection, run)["category"]) for run in runs]
    assert len(runs) == 12
    assert {"mine", "mine-again", "with-ppo", "gaps", "graded"} < set(runs)
    assert {"STEM", "Other"} in categories
    assert [0.5, 1.0] in accuracies  # large orders one of the two pairs of answers.jsonl right, small both
    assert {"Reasoning", "Chat"} in categories


def test_every_form_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert taken("formats.md", capsys) >= 15
    with store.open_read_only(tmp_path / "home") as connection:
        runs = reads.runs.all_runs(connection)["run_id"].to_list()
        names = [set(reads.runs.reward_models(connection, run)["reward_model_id"]) - {"label"} for run in runs]
    assert {"small", "large"} in names
    assert {"openrlhf-small", "conversations-large"} in names
    assert {"one", "two"} in names
    assert {"lab/small", "lab/large"} in names


def test_every_layout_and_every_optional_column_has_its_place() -> None:
    text = "".join(PAGES.values()).lower()
    for word in ("long", "wide", *exchange.LAYOUTS[1:], "category", "subset", "prompt", "response", "split"):
        assert word in text
