"""Sections of the documents with figures: each between two marks, replaced by the command that measures it."""

from __future__ import annotations

from pathlib import Path

_DOCS = Path(__file__).parent.parent.parent / "docs"
BENCHMARKS, RELIABILITY, SCALE = (_DOCS / name for name in ("benchmarks.md", "reliability.md", "scale.md"))


def insert(name: str, section: str, document: Path = BENCHMARKS) -> None:
    """Put the section between the marks of that name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = document.read_text().split(begin)
    document.write_text(f"{before}{begin}\n{section}\n{end}{rest.split(end)[1]}")
