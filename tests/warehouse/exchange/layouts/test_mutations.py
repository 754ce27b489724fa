"""Files of every form with cells changed, moved or taken out: read, or refused in one line that begins with a file."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from warehouse import exchange
from warehouse.errors import WarehouseError

PAGE = (Path(__file__).parents[4] / "docs" / "formats.md").read_text()
FILES = dict(re.findall(r"```jsonl ([\w./-]+)\n(.*?)```", PAGE, re.DOTALL))
GROUPS = [
    names
    for line in re.findall(r"^righttree import (.*)$", PAGE, re.MULTILINE)
    if set(names := line.split()) <= set(FILES)
]
COLUMNS = sorted({key for text in FILES.values() for line in text.splitlines() for key in json.loads(line)})
CELLS = [
    None,
    True,
    0,
    1.5,
    "",
    "a",
    "nan",
    "[1, 2]",
    "[",
    "{",
    "tie",
    [],
    {},
    [1.0, 2.0],
    ["x", "y"],
    {"role": "user"},
]
FACTS = exchange.Facts("theirs", "auto", "", "", 0.0, "", {}, {})


def changed(draw: random.Random, value: Any) -> Any:
    """Another cell, or the same one with something in it changed."""
    if isinstance(value, dict) and value and draw.random() < 0.7:
        key = draw.choice(sorted(value))
        return value | {key: changed(draw, value[key])}
    if isinstance(value, list) and value and draw.random() < 0.7:
        place = draw.randrange(len(value))
        return [changed(draw, part) if number == place else part for number, part in enumerate(value)]
    return draw.choice(CELLS)


def mutated(draw: random.Random, name: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in FILES[name].splitlines()]
    for _ in range(draw.randrange(1, 3)):
        row = draw.choice(rows)
        key = draw.choice(sorted(row) or COLUMNS)
        value = row.pop(key, None)
        fate = draw.random()
        if fate > 0.2:
            row[draw.choice(COLUMNS) if fate < 0.4 else key] = value if fate < 0.4 else changed(draw, value)
    return rows


def test_all_forms_are_mutated() -> None:
    assert len(GROUPS) >= 8


@pytest.mark.parametrize("names", GROUPS, ids=" ".join)
def test_mutations_are_read_or_refused_in_a_line(tmp_path: Path, names: list[str]) -> None:
    draw = random.Random(" ".join(names))
    for _ in range(25):
        paths = [tmp_path / Path(name).name for name in names if "/" not in name] or [tmp_path / "x.jsonl"]
        for path, name in zip(paths, names, strict=False):
            path.write_text("".join(json.dumps(row) + "\n" for row in mutated(draw, name)))
        message = refusal(paths)
        assert "\n" not in message
        assert not message or message.startswith(tuple(path.name for path in paths)), message


def refusal(paths: list[Path]) -> str:
    """Why the files are refused; empty if they make rows."""
    try:
        sheets, pieces = exchange.read_files(paths)
        exchange.build(sheets, exchange.study_of(sheets, pieces), FACTS)
    except WarehouseError as error:
        return str(error)
    return ""
