"""The examples of `docs/score.md`: each file is written as it stands there, each command is run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import polars as pl
import pytest

from pipeline.__main__ import main
from tests.pipeline.reward_models_elsewhere import checkpoint
from warehouse import reads, store

TEXT = (Path(__file__).parents[2] / "docs" / "score.md").read_text()
BLOCKS = re.findall(r"```(\w+)(?: ([\w.-]+))?\n(.*?)```", TEXT, re.DOTALL)


def test_every_example_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    checkpoint(tmp_path / "FOLDER")
    for _, name, content in BLOCKS:
        if name:
            Path(name).write_text(content)
            continue
        for line in content.splitlines():
            assert main(shlex.split(line)[1:]) == 0, (line, capsys.readouterr().err)
    assert pl.read_csv("mine.csv").columns == re.findall(r"`(prompt_id, [\w, ]+)`", TEXT)[0].split(", ")
    with store.open_read_only(tmp_path / "home") as connection:
        runs = {
            run: reads.runs.reward_models(connection, run)["reward_model_id"].to_list()
            for run in reads.runs.all_runs(connection)["run_id"]
        }
    assert runs == {
        "with-mine": ["large", "mine", "small"],
        "with-mine-more": ["large", "mine", "more", "small"],
        "from-texts": ["first", "second"],
    }
