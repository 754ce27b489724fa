"""Modules that import each other in a circle, imports for type checking counted too, held against every file."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from pipeline.stages import STAGES
from tests.test_architecture import FILES, ROOT, imports


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules() -> dict[str, set[str]]:
    """By module: the project's modules that it names in an import, wherever in the file."""
    files = {module_name(path): path for path in FILES}
    graph = {}
    for name, path in files.items():
        # `from a.b import c` gives `a.b.c`: that module if there is one, else the name c of module `a.b`
        named = {target if target in files else target.rpartition(".")[0] for target in imports(path)}
        graph[name] = (named & files.keys()) - {name}
    graph["pipeline.flow"] |= {f"pipeline.stages.{stage}" for stage in STAGES}  # imported by name, when a run needs it
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Circles of the graph, one at a time: each is cut at its last import, until none is left."""
    found, graph = [], {name: set(targets) for name, targets in graph.items()}
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = error.args[1]
            found.append(circle)
            graph[circle[-1]].discard(circle[-2])
        else:
            return found


def test_a_circle_is_found_and_a_diamond_is_none() -> None:
    diamond = {"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}
    assert circles(diamond) == []
    (circle,) = circles({**diamond, "d": {"b"}})
    assert set(circle) == {"b", "d"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(imported_modules()) == []
