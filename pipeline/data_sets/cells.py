"""Cells of other people's files: lists and objects that a text encodes, and the text that a cell stands for."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Callable

from pipeline.data_sets.pairs import UnusableRow

TEXT_KEYS = (
    *("answer", "response", "text", "content", "value", "completion", "output", "full_text", "generated_text"),
    *("summary", "message", "body", "response_text", "answer_text"),
)
"""Keys of an object under which its text is, in the order in which they are tried."""


def opened(cell: object) -> object:
    """The list or object that a text encodes, as JSON, Python or NumPy writes it; any other cell as it is."""
    if not isinstance(cell, str) or cell.lstrip()[:1] not in ("[", "{"):
        return cell
    for parse in _PARSERS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = parse(cell)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return value if isinstance(value, list | dict) else cell
    return cell


def _numpy(cell: str) -> object:
    """An array of objects, which NumPy writes without commas between them."""
    return ast.literal_eval(re.sub(r"\}\s+\{", "}, {", cell.strip()))


_PARSERS: tuple[Callable[[str], object], ...] = (json.loads, lambda cell: ast.literal_eval(cell.strip()), _numpy)


_TRUTH = {"true": "1", "false": "0"}


def number_of(cell: object) -> float | None:
    """The number in a cell, also one written as text or alone in a list, true as 1; None if there is none."""
    if isinstance(cell, list) and len(cell) == 1:
        cell = cell[0]
    if not isinstance(cell, str | int | float):
        return None
    try:
        number = float(_TRUTH.get(cell.strip().lower(), cell) if isinstance(cell, str) else cell)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number


def text_of(cell: object, column: str) -> str | None:
    """The text in a cell: a text, a number, or an object that has its text under one of `TEXT_KEYS`.

    Raises UnusableRow for anything else.
    """
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int | float):
        return None if math.isnan(cell) else f"{cell:g}" if cell == round(cell, 6) and abs(cell) < 1e6 else str(cell)
    if isinstance(cell, dict):
        for key in TEXT_KEYS:
            if isinstance(cell.get(key), str):
                return str(cell[key])
    raise UnusableRow(column, cell, "a text")


def label_of(cell: object) -> str | None:
    """A name in a cell, such as a category: a text that is not blank, or a number; None for anything else."""
    if isinstance(cell, str):
        return cell.strip() or None
    return str(cell) if isinstance(cell, int) and not isinstance(cell, bool) else None
