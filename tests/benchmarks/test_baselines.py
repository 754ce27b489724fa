"""Baselines of benchmarks: what got slower by more than 10 % is marked, and nothing else is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.benchmarks import baselines

BEFORE = {"same": 1.0, "a tenth": 1.0, "more": 1.0, "faster": 1.0, "gone": 1.0}
NOW = {"same": 1.0, "a tenth": 1.09, "more": 1.11, "faster": 0.2, "new": 1.0}


def test_what_is_slower_by_more_than_a_tenth_is_marked() -> None:
    lines, slower = baselines.compare("one", BEFORE, NOW)
    marked = [line for line in lines if "slower" in line]
    assert (slower, len(marked)) == (1, 1)
    assert marked == ["| one | more | 1 | 1.11 | 1.11× **slower** |"]


def test_a_figure_on_one_side_alone_is_named() -> None:
    lines, _ = baselines.compare("one", BEFORE, NOW)
    assert "| one | new | – | 1 | no baseline |" in lines
    assert "| one | gone | 1 | – | not measured any more |" in lines
    assert len(lines) == len(BEFORE) + 1


def test_the_last_line_has_the_figures() -> None:
    assert baselines.seconds_in(f"| a table |\n{baselines.json_line('one', NOW)}\n") == NOW


@pytest.mark.parametrize("name", baselines.COMMANDS)
def test_every_benchmark_prints_such_a_line(name: str) -> None:
    module, *_ = baselines.COMMANDS[name]
    path = Path(baselines.__file__).parent / module
    source = (path / "__main__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    assert re.search(r"^\s*print\(json_line\(", source, re.MULTILINE)


@pytest.mark.parametrize("path", sorted(baselines.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_what_is_committed_can_be_compared(path: Path) -> None:
    for name, baseline in json.loads(path.read_text()).items():
        lines, slower = baselines.compare(name, baseline["seconds"], baseline["seconds"])
        assert len(lines) == len(baseline["seconds"]) > 0
        assert slower == 0
