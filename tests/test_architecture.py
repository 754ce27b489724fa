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


LAYERS = ("stats", "metrics", "study", "claims")
"""Folders of `warehouse`: each is made of those before it, and imports none after it."""


def forbidden(parts: tuple[str, ...], name: str) -> bool:
    """Whether a file in this place may not import that name."""
    package, *rest = name.split(".")
    if package == parts[0] == "warehouse" and parts[1] in LAYERS and rest[:1] and rest[0] in LAYERS:
        return LAYERS.index(rest[0]) > LAYERS.index(parts[1])
    if package in ROOMS:
        return not (
            package == parts[0]
            or (package == "warehouse" and parts[0] in ("pipeline", "app"))
            or (parts[0] == "app" and name.startswith("pipeline.runs.jobs"))
        )
    if package == "streamlit":
        return parts[0] != "app" or bool({"charts", "report"} & set(parts))
    if package in ("ray", "fsspec"):
        return parts[:3] != ("pipeline", "backends", "ray")
    models = parts[:2] == ("pipeline", "models") or parts[:3] == ("pipeline", "backends", "vllm.py")
    return package in ("torch", "transformers", "vllm") and not models


def test_there_are_files_in_every_room() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(ROOMS)


def test_imports_follow_the_direction() -> None:
    places = {path: path.relative_to(ROOT).parts for path in FILES}
    offenders = [
        f"{'/'.join(parts)} imports {name}"
        for path, parts in places.items()
        for name in sorted(imports(path))
        if forbidden(parts, name)
    ]
    assert offenders == []


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("warehouse/store.py", "pipeline.runs"),
        ("warehouse/store.py", "app.main"),
        ("pipeline/flow.py", "app.main"),
        ("app/main.py", "pipeline.runs.status"),
        ("pipeline/flow.py", "streamlit"),
        ("app/charts/model.py", "streamlit"),
        ("app/report/page.py", "streamlit"),
        ("pipeline/flow.py", "torch.nn"),
        ("app/main.py", "transformers"),
        ("warehouse/store.py", "vllm"),
        ("pipeline/models/performance/head.py", "ray"),
        ("warehouse/stats/ranks.py", "warehouse.metrics.cube"),
        ("warehouse/stats/ranks.py", "warehouse.study"),
        ("warehouse/metrics/cube.py", "warehouse.study.evaluate"),
        ("warehouse/study/plans.py", "warehouse.claims.verdict"),
    ],
)
def test_what_would_break_the_direction_is_seen(place: str, name: str) -> None:
    assert forbidden(tuple(place.split("/")), name)


def test_only_the_store_opens_the_database() -> None:
    opening = [path for path in FILES if re.search(r"duckdb\.connect\(", path.read_text())]
    assert opening == [ROOT / "warehouse" / "store.py"]


def test_every_module_says_what_it_is() -> None:
    texts = {path: path.read_text() for path in FILES}
    silent = [path for path, text in texts.items() if text.count("\n") >= 3 and not ast.get_docstring(ast.parse(text))]
    assert silent == []


def test_only_one_module_reads_and_writes_the_url_and_the_run_of_the_session() -> None:
    """A page gets its choice from that module, or its link and its run would mean two things."""
    uses = {
        "the URL": lambda node: isinstance(node, ast.Attribute) and node.attr == "query_params",
        "the session's run": lambda node: isinstance(node, ast.Constant) and node.value == "session.run",
        "reading a link": lambda node: isinstance(node, ast.Name) and node.id in ("from_query", "to_query"),
    }
    users = {
        use: [
            path.relative_to(ROOT).as_posix()
            for path in FILES
            if any(is_use(node) for node in ast.walk(ast.parse(path.read_text())))
        ]
        for use, is_use in uses.items()
    }
    assert users == {use: ["app/components/page_state.py"] for use in uses}


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
