"""Print the project's folders with what each is for; `--write` fills the README's map and architecture.md's table.

    python -m tests.tree [--write]

`tests/test_tree.py` fails when either is stale. A few added lines do not make them stale: `LINES_MAY_DIFFER_BY`.
"""

from __future__ import annotations

import argparse
import ast
import re
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PRODUCT = ("pipeline", "warehouse", "app")
WITHOUT_CODE = {
    "docs/": "What is computed, measured and decided, and how to use each part",
    "examples/": "Sample files for the commands that take one",
}
LINES_MAY_DIFFER_BY = 0.1
"""A share of the folder's lines, or of `SMALL_FOLDER` lines where it has fewer."""
SMALL_FOLDER = 500
WIDTH = 118


class Size(NamedTuple):
    """How much Python a folder holds; `modules` leaves out `__init__.py`."""

    files: int
    modules: int
    lines: int

    def __add__(self, other: object) -> Size:
        """Add the sizes of two folders, instead of chaining the tuples."""
        assert isinstance(other, Size)
        return Size(self.files + other.files, self.modules + other.modules, self.lines + other.lines)


NOTHING = Size(0, 0, 0)

BEFORE = {
    "pipeline": Size(52, 51, 5892),
    "pipeline/cluster": Size(7, 6, 943),
    "pipeline/commands": Size(5, 4, 595),
    "pipeline/data_sets": Size(20, 19, 993),
    "pipeline/models": Size(29, 28, 2884),
    "pipeline/plan": Size(10, 9, 913),
    "pipeline/prompts": Size(1, 0, 46),
    "pipeline/stages": Size(11, 10, 944),
    "warehouse": Size(14, 13, 1710),
    "warehouse/claims": Size(7, 6, 956),
    "warehouse/measures": Size(39, 38, 4356),
    "warehouse/outside": Size(16, 15, 1656),
    "app": Size(34, 33, 3970),
    "app/charts": Size(28, 27, 1417),
    "app/views": Size(9, 8, 277),
    "app/widgets": Size(41, 40, 3283),
    "tests": Size(10, 9, 778),
    "tests/app": Size(35, 34, 3496),
    "tests/benchmarks": Size(19, 18, 2383),
    "tests/browser": Size(8, 7, 829),
    "tests/pipeline": Size(42, 41, 5604),
    "tests/pipeline/data_sets": Size(10, 9, 974),
    "tests/pipeline/models": Size(19, 18, 1716),
    "tests/reliability": Size(23, 22, 1899),
    "tests/warehouse": Size(10, 9, 801),
    "tests/warehouse/claims": Size(6, 5, 450),
    "tests/warehouse/measures": Size(22, 21, 2298),
    "tests/warehouse/outside": Size(9, 8, 1157),
}
"""The folders at commit 178bb86, before they were moved into their present places."""


def sizes(root: Path = ROOT) -> dict[str, Size]:
    """Every folder with Python files in the product's rooms and in `tests`; each without its sub-folders."""
    of_folder: dict[str, Size] = {}
    for room in (*PRODUCT, "tests"):
        for file in sorted((root / room).rglob("*.py")):
            folder = file.parent.relative_to(root).as_posix()
            lines = len(file.read_text(encoding="utf-8").splitlines())
            of_folder[folder] = of_folder.get(folder, NOTHING) + Size(1, int(file.name != "__init__.py"), lines)
    return of_folder


def summary(file: Path) -> str:
    """The first sentence of a module's docstring, or nothing."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) if file.exists() else None
    paragraph = " ".join((text or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph, maxsplit=1)[0].rstrip(".:")


def tree(root: Path = ROOT) -> str:
    """The rooms and their sub-folders, one a line: modules and lines (deeper folders' included) and what each is."""
    of_folder = sizes(root)
    lines = []
    for room in (*PRODUCT, "tests"):
        inside = [path for path in of_folder if path.startswith(f"{room}/") and path.count("/") == 1]
        for folder in (room, *sorted(inside)):
            name = f"{folder}/" if folder == room else f"  {Path(folder).name}/"
            size = _total(of_folder, folder)
            lines.append(_line(name, size, summary(root / folder / "__init__.py")))
    notebook = root / "righttree.py"
    lines.append(_line(notebook.name, Size(1, 1, len(notebook.read_text().splitlines())), summary(notebook)))
    lines += [_line(name, None, text) for name, text in WITHOUT_CODE.items()]
    return "\n".join(lines)


def _line(name: str, size: Size | None, text: str) -> str:
    counts = f"{size.modules:>3} {'module ' if size.modules == 1 else 'modules'} {size.lines:>6,} lines" if size else ""
    head = f"{name:<15}{counts:<25}  "
    return (head + textwrap.shorten(text, WIDTH - len(head), placeholder=" …")).rstrip()


def table(root: Path = ROOT) -> str:
    """A Markdown table: files, modules and lines of each folder of the product, and of all tests, before and now."""
    now = sizes(root)
    rows: list[tuple[str, Size | None, Size | None]] = []
    for room in PRODUCT:
        inside = sorted(path for path in {*BEFORE, *now} if f"{path}/".startswith(f"{room}/"))
        rows += [(f"`{path}`", BEFORE.get(path), now.get(path)) for path in inside]
    for room in (*PRODUCT, "tests"):
        rows.append((f"**{room}, all**", _total(BEFORE, room), _total(now, room)))
    product = [sum((_total(of_folder, room) for room in PRODUCT), NOTHING) for of_folder in (BEFORE, now)]
    rows.append(("**product, all**", product[0], product[1]))
    head = ["| folder | files before | now | modules before | now | lines before | now |", "|---|" + "--:|" * 6]
    return "\n".join(head + [f"| {name} | {_cells(before, after)} |" for name, before, after in rows])


def _total(of_folder: dict[str, Size], folder: str) -> Size:
    """The size of a folder and all below it."""
    return sum((size for path, size in of_folder.items() if f"{path}/".startswith(f"{folder}/")), NOTHING)


def _cells(before: Size | None, after: Size | None) -> str:
    pairs = zip(before or ("",) * 3, after or ("",) * 3, strict=True)
    return " | ".join(f"{number:,}" if number != "" else "" for pair in pairs for number in pair)


PAGES = {"README.md": ("tree", lambda root: f"```\n{tree(root)}\n```"), "docs/architecture.md": ("folders", table)}
"""What is written into which page, between `<!-- NAME -->` and `<!-- /NAME -->`."""


def filled(page: str, root: Path = ROOT) -> str:
    """The page's text with the tree, or the table, as it is now."""
    name, render = PAGES[page]
    text = (root / page).read_text(encoding="utf-8")
    before, start, rest = text.partition(f"<!-- {name}: python -m tests.tree --write -->\n")
    _, end, after = rest.partition(f"\n<!-- /{name} -->")
    if not (start and end):
        raise SystemExit(f"{page} has no place for the {name}: put <!-- {name}: … --> and <!-- /{name} --> around it")
    return before + start + render(root) + end + after


def main() -> None:
    """Print the tree, or write the pages."""
    parser = argparse.ArgumentParser(prog="python -m tests.tree", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="fill README.md and docs/architecture.md")
    if parser.parse_args().write:
        for page in PAGES:
            (ROOT / page).write_text(filled(page), encoding="utf-8")
    print(tree())


if __name__ == "__main__":
    main()
