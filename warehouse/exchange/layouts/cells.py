"""What a cell holds: numbers in brackets, texts, conversations, lists and objects, whether a file has types or not.

A column of CSV holds text alone, so text that encodes a list or an object counts as one where one is expected.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

from warehouse.errors import InvalidRows
from warehouse.exchange.numbers import MISSING, holds_objects
from warehouse.exchange.sheet import Sheet, invalid, shown, value_in

INPUT = "input"
LABEL_WORDS = {
    **dict.fromkeys(("true", "correct", "right", "pass", "passed", "chosen", "good"), 1),
    **dict.fromkeys(("false", "incorrect", "wrong", "fail", "failed", "rejected", "bad"), 0),
}
"""Words that say of a response, in lower case, whether it is right."""
_ROLE, _CONTENT = ("role", "from"), ("content", "value")
_ANSWERS = {"assistant", "gpt", "model", "bot"}
_TEXTS = ("response", "text", "content", "answer", "completion", "output", "generated_text")


class Conversation(NamedTuple):
    """A text as prompt and response; a plain text has no prompt."""

    prompt: str | None
    response: str | None


def plain(sheet: Sheet, column: str) -> list[Any]:
    """A column as Python values, with lists and objects as such."""
    return [value_in(cell) for cell in sheet.frame[column].to_list()]


def first_value(sheet: Sheet, column: str) -> Any:
    """The first cell that is not empty, decoded; None if all are empty."""
    values = sheet.frame[column].drop_nulls().head(1).to_list()
    return value_in(values[0]) if values else None


def number(value: Any, *, decimal_comma: bool = False) -> float | None:
    """A score, also in brackets or as text; None if it is missing. Raises ValueError for what is no number."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        if value.strip().lower() in MISSING:
            return None
        value = value_in(value)
        if isinstance(value, list):
            return number(value) if len(value) == 1 else _no_number(value)
        value = value.replace(",", ".") if decimal_comma and isinstance(value, str) else value
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return _no_number(value)
    try:
        parsed = float(value)
    except OverflowError:
        return float("inf")
    return None if parsed != parsed else parsed


def _no_number(value: Any) -> float:
    raise ValueError(f"no number: {value!r}")


def is_number(value: Any) -> bool:
    """Whether a value is a score that is given: a number, also in brackets or as text."""
    try:
        return number(value) is not None
    except ValueError:
        return False


def scores(sheet: Sheet, column: str) -> pl.Series:
    """A column of scores, each a number, `[x]` or `[[x]]`; null where one is missing. Raises InvalidRows."""
    cells = sheet.frame[column]
    if holds_objects(cells) or (cells.dtype == pl.String() and cells.str.starts_with("[").any()):
        for row, cell in enumerate(cells.to_list()):
            value = value_in(cell)
            if isinstance(value, list) and len(value) > 1:
                raise several_scores(sheet, row, column, value)
    return sheet.scores(column)


def several_scores(sheet: Sheet, row: int, column: str, values: list[Any]) -> InvalidRows:
    """The error for several scores of one text."""
    return invalid(
        f"{sheet.at(row)}, column {column}: got {len(values)} scores for one text, {shown(values)}; choose "
        "one of them, or name them: with objects such as {'helpful': 0.3, 'safe': 0.9} each is a scorer"
    )


def lists(sheet: Sheet, column: str) -> list[list[Any]]:
    """Every cell as a list, one value or object by itself. Raises InvalidRows for broken and empty lists."""
    rows = []
    for row, cell in enumerate(sheet.values(column)):
        value = value_in(cell)
        if value == [] or (isinstance(value, str) and value.lstrip().startswith("[")):
            raise sheet.wrong(row, column, cell, "wanted a list with something in it, as JSON or Python writes it")
        rows.append(value if isinstance(value, list) else [value])
    return rows


def is_conversation(value: Any) -> bool:
    """Whether a value is a list of messages; several of an assistant alone are several responses."""
    if not isinstance(value, list) or not value or not all(_content(turn) is not None for turn in value):
        return False
    return len(value) == 1 or any(str(turn.get("role", turn.get("from"))).lower() not in _ANSWERS for turn in value)


def conversation(value: Any) -> Conversation:
    """Prompt and response of a text, of messages (the last one is the response) or of an object with a text."""
    if isinstance(value, str):
        value = value_in(value) if value.lstrip().startswith(("[{", "{")) else value
    if is_conversation(value):
        *before, last = (str(_content(turn)) for turn in value)
        return Conversation("\n\n".join(text for text in before if text) or None, last)
    if _is_parts(value):
        return Conversation(prompt=None, response=_of_parts(value))
    if isinstance(value, dict):
        text = next((value[name] for name in _TEXTS if isinstance(value.get(name), str)), None)
        if text is not None:
            return Conversation(prompt=None, response=text)
    return Conversation(prompt=None, response=as_text(value))


def prompt_text(value: Any) -> str | None:
    """A prompt as text; of messages all contents, apart by a blank line."""
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        value = value_in(value)
    if is_conversation(value):
        return "\n\n".join(text for turn in value if (text := str(_content(turn))))
    return _of_parts(value) if _is_parts(value) else as_text(value)


def as_text(value: Any) -> str | None:
    """A value as text; lists and objects as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def prompts(sheet: Sheet, column: str | None) -> pl.Series:
    """A column of prompts as texts, each with the `input` that Alpaca's form has beside an instruction below it."""
    whole = texts(sheet, column, prompts=True)
    if column is None or not has_input(sheet, column):
        return whole
    both = zip(whole.to_list(), texts(sheet, INPUT, prompts=True).to_list(), strict=True)
    joined = [
        f"{text}\n{added}" if text is not None and (added or "").strip() and str(added) not in text else text
        for text, added in both
    ]
    return pl.Series(column, joined, dtype=pl.String())


def has_input(sheet: Sheet, column: str) -> bool:
    """Whether a file has an `input` of texts beside the column of its prompts."""
    return column != INPUT and INPUT in sheet.frame.columns and sheet.frame[INPUT].dtype == pl.String()


def texts(sheet: Sheet, column: str | None, *, prompts: bool = False) -> pl.Series:
    """A column of responses (or `prompts`) as texts, all null without a column; messages are read as texts."""
    if column is None:
        return pl.Series([None] * sheet.frame.height, dtype=pl.String())
    cells = sheet.frame[column]
    if cells.dtype == pl.String():
        if not cells.str.contains(r"^\s*(\[\{|\{)").any():
            return cells
    elif not (holds_objects(cells)):
        return sheet.texts(column)
    values = cells.to_list()
    return pl.Series(
        column,
        [prompt_text(value) if prompts else conversation(value).response for value in values],
        dtype=pl.String(),
    )


def is_text_list(value: Any) -> bool:
    """Whether a value is a list of texts or of conversations, and no single conversation."""
    return isinstance(value, list) and bool(value) and not is_conversation(value) and all(_is_text(v) for v in value)


def is_score_list(value: Any) -> bool:
    """Whether a value is a list with a number for each response."""
    return isinstance(value, list) and bool(value) and all(v is None or is_number(v) for v in value)


def shared_count(values: Sequence[Any]) -> int | None:
    """The length that all lists have; None if they differ."""
    lengths = {len(value) for value in values}
    return lengths.pop() if len(lengths) == 1 else None


def _is_text(value: Any) -> bool:
    return (
        isinstance(value, str) or is_conversation(value) or (isinstance(value, dict) and bool(set(value) & {*_TEXTS}))
    )


def _content(turn: Any) -> str | None:
    """The text of a message; None if the value is no message."""
    if not isinstance(turn, dict):
        return None
    name = next((name for name in _CONTENT if name in turn), None)
    if name is None or not any(role in turn for role in _ROLE):
        return None
    content = turn[name]
    if content is None:  # a turn that only calls tools
        content = as_text(turn.get("tool_calls")) or ""
    if isinstance(content, list):
        content = _of_parts(content)
    return content if isinstance(content, str) else None


def _is_parts(value: Any) -> bool:
    """Whether a value is a message's content in parts: texts, images and others."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in value)
        and not any(role in part for part in value for role in _ROLE)
    )


def _of_parts(parts: list[Any]) -> str:
    """The text of parts; what is no text is named by its content, so that prompts with different images stay apart."""
    texts = []
    for part in parts:
        text = part.get("text") if isinstance(part, dict) else part
        if not isinstance(text, str):
            digest = hashlib.sha256(str(as_text(part)).encode()).hexdigest()[:8]
            text = f"<{part.get('type') if isinstance(part, dict) else 'part'} {digest}>"
        texts.append(text)
    return "".join(texts)
