"""The code of `docs/notebook.md` runs, on plain arrays and on a real run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text()


def test_every_block_runs_after_the_ones_before_it(
    smoke_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(smoke_home))
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) >= 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/notebook.md", "exec"), names)
    assert "Estimate(value=" in capsys.readouterr().out


def test_it_uses_nothing_but_the_notebook_interface_and_numpy() -> None:
    assert set(re.findall(r"^\s*(?:import|from) (\w+)", TEXT, re.MULTILINE)) == {"righttree", "numpy"}
