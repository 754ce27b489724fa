"""The rooms and the direction between them, held against the imports of every file."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("app", "pipeline", "warehouse")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Dotted names of everything the file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def of_package(names: set[str], *packages: str) -> list[str]:
    return sorted(name for name in names if name.split(".")[0] in packages)


def test_there_are_files_in_every_room() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_direction(path: Path) -> None:
    names, parts = imports(path), path.relative_to(ROOT).parts
    if parts[0] == "warehouse":
        assert not of_package(names, "app", "pipeline")
    if parts[0] == "pipeline":
        assert not of_package(names, "app")
    if parts[0] == "app":
        assert [name for name in of_package(names, "pipeline") if not name.startswith("pipeline.jobs")] == []
    if parts[0] != "app" or "charts" in parts:
        assert not of_package(names, "streamlit")
    if parts[:2] != ("pipeline", "cluster"):
        assert not of_package(names, "ray", "fsspec")
    if parts[:2] != ("pipeline", "models"):
        assert not of_package(names, "torch", "transformers", "vllm")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_store_opens_the_database(path: Path) -> None:
    opens = re.search(r"duckdb\.connect\(", path.read_text()) is not None
    assert opens == (path == ROOT / "warehouse" / "store.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)) or len(text.splitlines()) < 3


def test_light_commands_do_not_import_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pipeline.__main__ import main; main(['runs']); main(['doctor']);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'streamlit')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"RIGHTTREE_HOME": str(tmp_path)}, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
