"""The examples on docs/data.md: the rows of each and the lines that say what becomes of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.data_sets.gather import Gathered
from pipeline.data_sets.pairs import Reason

PAGE = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")


class Example(NamedTuple):
    """An example under a name's heading; `result` are its lines that begin with an arrow."""

    name: str
    rows: list[dict[str, Any]]
    result: list[str]


def examples(text: str = PAGE) -> list[Example]:
    """All examples on the page, in their order."""
    blocks = re.findall(r"^\*\*`([\w-]+)`\*\*.*?\n```text\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    return [
        Example(
            name,
            [json.loads(line) for line in block.splitlines() if line.startswith("{")],
            [line for line in block.splitlines() if line.startswith("→")],
        )
        for name, block in blocks
    ]


def rendered(gathered: Gathered) -> list[str]:
    """What became of a file's rows: a line for each pair, and one for each reason for dropping some."""
    lines = []
    for pair in gathered.pairs.iter_rows(named=True):
        columns = ("prompt", "chosen", "rejected", "category", "subset")
        shown = {column: pair[column] for column in columns if pair[column] is not None}
        lines.append("→ " + ", ".join(f"{column} {json.dumps(text)}" for column, text in shown.items()))
    for reason in Reason:
        count = gathered.counts[reason].sum()
        lines += [f"→ {count} {reason}"] if count else []
    return lines
