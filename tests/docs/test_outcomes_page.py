"""The examples of `docs/outcomes.md`: the file is written as it stands there, each command is run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from pipeline.__main__ import main
from warehouse import reads, store

TEXT = (Path(__file__).parents[2] / "docs" / "outcomes.md").read_text()
BLOCKS = re.findall(r"```(\w+)(?: ([\w.-]+))?\n(.*?)```", TEXT, re.DOTALL)


def test_every_example_works_on_the_recorded_run_and_prints_what_is_shown(
    recorded_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(recorded_home, tmp_path / "home", symlinks=True)
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    printed = {}
    for language, name, content in BLOCKS:
        if name:
            Path(name).write_text(content)
        elif language == "sh":
            for line in content.splitlines():
                command = shlex.split(line, comments=True)[1:]
                assert main(command) == 0, (line, capsys.readouterr().err)
                printed[" ".join(command)] = [text.rstrip() for text in capsys.readouterr().out.splitlines()]
    assert len(printed) >= 8
    with store.open_read_only(tmp_path / "home") as connection:
        assert reads.outcomes.names(connection, "recorded") == ("-perplexity", "elo")
        assert set(reads.runs.all_runs(connection)["run_id"]) == {"recorded", "recorded-ensemble", "careful"}
    shown = TEXT.partition("```\naccuracy against outcome elo")[2].partition("```")[0].splitlines()[1:]
    measured = printed["measure --outcome elo"]
    assert len(shown) > 5
    assert [line for line in shown if "…" not in line and line.rstrip() not in measured] == []
