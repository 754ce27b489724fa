"""JSON and JSON Lines, whichever the text is, under either name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from warehouse.errors import first_line
from warehouse.exchange.reading.columns import Columns
from warehouse.exchange.reading.content import utf_8
from warehouse.exchange.reading.json_shapes import rows_of
from warehouse.exchange.sheet import CUT, Sheet, broken, decoded, invalid, shown

_PART_BYTES = 4 * 2**20


class Part(NamedTuple):
    """Some rows of JSON Lines, and the line of each."""

    items: list[dict[str, Any]]
    lines: list[int]


def read_json(name: str, content: bytes, *, lines_first: bool = False) -> Sheet:
    """A sheet of JSON Lines, or of one JSON value in any of the shapes that `rows_of` knows.

    Raises InvalidRows, with row and line in JSON Lines.
    """
    content = utf_8(name, content)
    if is_lines(content, lines_first=lines_first):
        columns, lines = Columns(name), []
        for part in parts(name, content):
            columns.add_items(part.items)
            lines += part.lines
        return columns.sheet(_regular(lines))
    return rows_of(name, _parsed(name, decoded(content)))


def is_lines(content: bytes, *, lines_first: bool) -> bool:
    """Whether the text has an object on its first line and is no single one; `lines_first`: a single one is a line."""
    content = content.lstrip()
    if not content.startswith(b"{"):
        return lines_first and not content.startswith(b"[")
    first, _, rest = content.partition(b"\n")
    try:
        json.loads(first.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return lines_first and not _is_whole(content)
    return bool(rest.strip()) or lines_first


def parts(name: str, content: bytes) -> Iterator[Part]:
    """The rows of JSON Lines, some at a time; blank lines are skipped. Raises InvalidRows for what is no object."""
    row, number, start = 0, 1, 0
    while start < len(content):
        end = content.find(b"\n", start + _PART_BYTES)
        end = len(content) if end < 0 else end + 1
        lines = content[start:end].decode("utf-8", "surrogateescape").split("\n")
        if not lines[-1]:
            lines.pop()
        part = Part([], [line for line, text in enumerate(lines, number) if text.strip()])
        texts = [lines[line - number] for line in part.lines]
        part.items.extend(_objects(name, texts, part.lines, row))
        yield part
        start, row, number = end, row + len(part.lines), number + len(lines)


def _objects(name: str, texts: list[str], lines: list[int], row: int) -> list[dict[str, Any]]:
    try:
        items = json.loads(f"[{','.join(texts)}]")
        if len(items) == len(texts) and all(type(item) is dict for item in items):
            return items
    except (ValueError, RecursionError):
        pass  # a line by itself says what is wrong
    items = []
    for place, (text, line) in enumerate(zip(texts, lines, strict=True), row + 1):
        where = f"{name}, row {place} (line {line})"
        item = _parsed(where, text)
        if not isinstance(item, dict):
            raise invalid(f"{where}: got {shown(item)}; every line is one object")
        items.append(item)
    return items


def _regular(lines: list[int]) -> list[int] | range:
    return range(lines[0], lines[-1] + 1) if lines and lines[-1] - lines[0] + 1 == len(lines) else lines


def _is_whole(content: bytes) -> bool:
    try:
        json.loads(decoded(content))
    except (ValueError, RecursionError):
        return False
    return True


def _parsed(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        looks_like_json = text.lstrip()[:1] in ("{", "[", '"')
        remedy = CUT if looks_like_json else f"it begins with {shown(text[:40])}: if it is CSV, name it .csv"
        raise invalid(f"{where}: {broken(text) or f'no whole JSON ({first_line(error)}); {remedy}'}") from error
