"""The examples of `docs/outcomes.md`: the file is written as it stands there, each command is run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pipeline.__main__ import main
from warehouse import reads, store

TEXT = (Path(__file__).parents[2] / "docs" / "outcomes.md").read_text()
BLOCKS = re.findall(r"```(\w+)(?: ([\w.-]+))?\n(.*?)```", TEXT, re.DOTALL)


def test_every_example_works_on_the_recorded_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    commands = 0
    for language, name, content in BLOCKS:
        if name:
            Path(name).write_text(content)
        elif language == "sh":
            for line in content.splitlines():
                assert main(shlex.split(line, comments=True)[1:]) == 0, (line, capsys.readouterr().err)
                commands += 1
    assert commands >= 8
    with store.open_read_only(tmp_path / "home") as connection:
        assert reads.outcomes.names(connection, "recorded") == ("-perplexity", "elo")
        assert set(reads.runs.all_runs(connection)["run_id"]) == {"recorded", "recorded-ensemble", "careful"}


def test_what_it_shows_is_what_the_command_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (elo,) = [content for _, name, content in BLOCKS if name == "elo.csv"]
    Path("elo.csv").write_text(elo)
    assert main(["outcomes", "elo.csv", "--run", "recorded"]) == 0
    capsys.readouterr()
    assert main(["measure", "--outcome", "elo"]) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    shown = TEXT.partition("```\naccuracy against outcome elo")[2].partition("```")[0].splitlines()[1:]
    assert [line for line in shown if "…" not in line and line.rstrip() not in printed] == []
