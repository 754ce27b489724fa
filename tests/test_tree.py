"""The tree that the README prints and the table in docs/architecture.md are those of this code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests import tree

MODULES_PER_FOLDER = 17


def _without_lines(text: str) -> tuple[str, list[int]]:
    """The text with all counts of lines taken out, and these counts: the tree's, and the table's last two columns."""
    in_tree = r"[\d,]+(?= lines)"
    in_table = r"(?<=\| )[\d,]*(?= \| [\d,]* \|$)|(?<=\| )[\d,]*(?= \|$)"
    pattern = re.compile(f" *(?:{in_tree}|{in_table})", re.MULTILINE)
    counts = [int(number.strip().replace(",", "") or 0) for number in pattern.findall(text)]
    return pattern.sub("", text), counts


@pytest.mark.parametrize("page", tree.PAGES)
def test_page_shows_the_tree_as_it_is(page: str) -> None:
    """Numbers of lines may lag a little behind, so that not every changed line has to be counted again."""
    printed, printed_lines = _without_lines((tree.ROOT / page).read_text(encoding="utf-8"))
    current, current_lines = _without_lines(tree.filled(page))
    assert printed == current, f"{page} is stale: python -m tests.tree --write"
    assert len(printed_lines) > 20
    for stale, lines in zip(printed_lines, current_lines, strict=True):
        tolerance = tree.LINES_MAY_DIFFER_BY * max(lines, tree.SMALL_FOLDER)
        assert abs(stale - lines) <= tolerance, f"{page} is stale: python -m tests.tree --write"


@pytest.mark.parametrize("change", ["module", "folder", "docstring", "lines"])
def test_a_change_of_the_tree_makes_the_pages_stale(tmp_path: Path, change: str) -> None:
    for room in (*tree.PRODUCT, "tests"):
        shutil.copytree(tree.ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "recorded"))
    for file in ("righttree.py", "README.md"):
        shutil.copy(tree.ROOT / file, tmp_path)
    stages = tmp_path / "pipeline/stages"
    if change == "module":
        (stages / "further.py").touch()
    elif change == "folder":
        (tmp_path / "app/further").mkdir()
        (tmp_path / "app/further/__init__.py").touch()
    elif change == "docstring":
        (stages / "__init__.py").write_text('"""Something else."""\n')
    else:
        (stages / "__init__.py").write_text((stages / "__init__.py").read_text() + "#\n" * 1000)
    before, after = (_without_lines(text) for text in (tree.filled("README.md"), tree.filled("README.md", tmp_path)))
    assert (before[1] if change == "lines" else before[0]) != (after[1] if change == "lines" else after[0])


def test_no_folder_is_crowded() -> None:
    crowded = {folder: size.modules for folder, size in tree.sizes().items() if size.modules > MODULES_PER_FOLDER}
    assert not crowded


@pytest.mark.parametrize("room", tree.PRODUCT)
def test_every_folder_says_in_a_sentence_what_it_is(room: str) -> None:
    packages = [tree.ROOT / folder / "__init__.py" for folder in tree.sizes() if f"{folder}/".startswith(f"{room}/")]
    assert [str(path) for path in packages if " " not in tree.summary(path)] == []
