"""How functions of the product are written, where a machine can tell: arguments, results, shapes, names."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for room in ("app", "pipeline", "warehouse") for path in (ROOT / room).rglob("*.py"))
FILES.append(ROOT / "righttree.py")

MOST_POSITIONAL = 5
LIBRARY_INTERFACES = {"_grouped_attention"}
"""Functions whose arguments a library fixes: transformers calls it."""
CATCH_ALL = {"found", "there", "wanted", "one", "kept", "made", "told", "taken", "begun", "asked"}
"""Names that say nothing of what a variable holds."""
TAKES_NONE_FIRST = {"get", "getattr", "pop", "slice"}
"""Calls in which a None has a place of its own that everybody knows."""

Offenders = Iterator[tuple[int, str]]


def too_many_positional(tree: ast.AST) -> Offenders:
    """Functions that take more arguments by position than a reader can tell apart."""
    for node in functions(tree):
        names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        count = len([name for name in names if name not in ("self", "cls")])
        if count > MOST_POSITIONAL and node.name not in LIBRARY_INTERFACES:
            yield node.lineno, f"{node.name} takes more than {MOST_POSITIONAL} positional arguments"


def bare_none(tree: ast.AST) -> Offenders:
    """Calls with a None among their positional arguments, which does not say what it leaves out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            among = [part for part in node.args[:-1] if isinstance(part, ast.Constant) and part.value is None]
            if among and name not in TAKES_NONE_FIRST:
                yield node.lineno, f"a bare None in the call of {name}"


def nameless_results(tree: ast.AST) -> Offenders:
    """Functions that return three or more values without names."""
    for node in functions(tree):
        result = node.returns
        if isinstance(result, ast.Subscript) and ast.unparse(result.value) == "tuple":
            parts = result.slice.elts if isinstance(result.slice, ast.Tuple) else []
            if len(parts) > 2 and not any(isinstance(part, ast.Constant) for part in parts):
                yield node.lineno, f"{node.name} returns {len(parts)} values without names"


def arrays_without_shape(tree: ast.AST) -> Offenders:
    """Public functions of arrays that say no shape, neither in a name (`scores_MPR`) nor in brackets (`[M, P, R]`)."""
    for node in public_functions(tree):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        arrays = [part.arg for part in arguments if part.annotation and _is_array(part.annotation)]
        unnamed = [name for name in arrays if not re.search(r"_[A-Z]+$", name)]
        documented = re.search(r"\[\w[^\]]*\]|\w_[A-Z]+\b|\bshape\b", ast.get_docstring(node) or "")
        if not documented and (unnamed or (node.returns is not None and _is_array(node.returns))):
            yield node.lineno, f"{node.name} says no shape"


def catch_all_names(tree: ast.AST) -> Offenders:
    """Variables and arguments called by a word that fits everything; fields of stored records keep their names."""
    fields = {
        id(part.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for part in node.body
        if isinstance(part, ast.AnnAssign)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Name)
            and id(node) not in fields
            and isinstance(node.ctx, ast.Store)
            and node.id in CATCH_ALL
        ):
            yield node.lineno, f"a variable called {node.id}"
        if isinstance(node, ast.arg) and node.arg in CATCH_ALL:
            yield node.lineno, f"an argument called {node.arg}"


def public_functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions of a module and methods of its public classes; what overrides a library's method has no docstring."""
    for node in getattr(tree, "body", ()):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (method for method in public_functions(node) if ast.get_docstring(method))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _is_array(annotation: ast.expr) -> bool:
    """Whether arrays are in it, other than the named weights of a model."""
    return re.search(r"\b(NDArray|Tensor)\b", re.sub(r"\[str, Tensor\]", "", ast.unparse(annotation))) is not None


RULES = [too_many_positional, bare_none, nameless_results, arrays_without_shape, catch_all_names]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_function_offends(rule: Callable[[ast.AST], Offenders]) -> None:
    trees = {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
    assert [f"{path}:{line} {what}" for path, tree in trees.items() for line, what in rule(tree)] == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (too_many_positional, "def f(a, b, c, d, e, g): ..."),
        (bare_none, "f(1, None, 2)"),
        (nameless_results, "def f() -> tuple[int, int, int]: ..."),
        (arrays_without_shape, "def f(values: NDArray[np.float64]) -> float: ..."),
        (catch_all_names, "found = 1"),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)
def test_an_offence_is_seen(rule: Callable[[ast.AST], Offenders], code: str) -> None:
    assert len(list(rule(ast.parse(code)))) == 1
