"""Sections of `docs/benchmarks.md`: each between two marks, replaced by the command that measures it."""

from __future__ import annotations

from pathlib import Path

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "benchmarks.md"


def insert(name: str, section: str) -> None:
    """Put the section between the marks of that name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = DOCUMENT.read_text().split(begin)
    DOCUMENT.write_text(f"{before}{begin}\n{section}\n{end}{rest.split(end)[1]}")
