"""Per-item scores of RewardBench and of RM-Bench: chosen and rejected responses of an item, each with a score.

RewardBench (arXiv 2403.13787, `scripts/run_rm.py`): `text_chosen, text_rejected, scores_chosen, scores_rejected,
results, subset, id`, one file per reward model; its `--save_all` writes `chosen, rejected` alone, both scores.
RM-Bench (arXiv 2410.16184): `id, prompt, chosen, rejected` with three responses each, as lists or string-encoded lists;
its scorer adds `score_chosen, score_rejected`. Without scores the file only describes prompts, responses, preferences.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

import polars as pl

from warehouse.exchange.numbers import MISSING
from warehouse.exchange.scored_rows import LONG, PAIRS, Pieces, of_rows
from warehouse.exchange.sheet import Sheet, as_list, encodes_texts

_SIDES = ("chosen", "rejected")
_RM_BENCH_NAME = re.compile(r"_REWORD_MODEL_\d{8}_\d{6}$")
_RM_BENCH_DATA = re.compile(
    r"^(chat|code|math|safety-refuse|safety-response|total)_(filtered|dataset)_|^total_dataset_"
)


def columns_of(sheet: Sheet) -> dict[str, str]:
    """Which columns hold texts and scores of either side, by `text_<side>` and `score_<side>`; empty if none do."""
    names = set(sheet.frame.columns)
    columns: dict[str, str] = {}
    for side in _SIDES:
        for name in (f"scores_{side}", f"score_{side}"):
            if name in names:
                columns[f"score_{side}"] = name
        if f"text_{side}" in names:
            columns[f"text_{side}"] = f"text_{side}"
        elif side in names:
            is_score = sheet.frame[side].dtype.is_numeric() and f"score_{side}" not in columns
            columns[f"{'score' if is_score else 'text'}_{side}"] = side
    return columns


def is_benchmark(sheet: Sheet) -> bool:
    """Whether the columns are RewardBench's or RM-Bench's."""
    columns = columns_of(sheet)
    if all(f"score_{side}" in columns for side in _SIDES):
        return True
    texts = [columns.get(f"text_{side}") for side in _SIDES]
    return all(name is not None and encodes_texts(sheet.frame[name]) for name in texts)


def is_scored(sheet: Sheet) -> bool:
    """Whether a benchmark's file has scores too."""
    return any(key.startswith("score_") for key in columns_of(sheet))


def read_benchmark(sheet: Sheet, number: int) -> Pieces:
    """Long rows and preference pairs of a file of either benchmark."""
    columns, scored = columns_of(sheet), is_scored(sheet)
    for key in (f"{'score' if scored else 'text'}_{side}" for side in _SIDES):
        if key not in columns:
            raise sheet.wrong(0, key, sheet.frame.columns, f"wanted chosen and rejected: add column {key}")
    models = _models(sheet) if scored else [None] * sheet.frame.height
    cells = {
        key: sheet.lists(column) if key.startswith("score_") else sheet.frame[column].to_list()
        for key, column in columns.items()
    }
    described = pl.DataFrame(
        {
            "prompt_id": _prompt_ids(sheet, columns),
            "category": sheet.labels("category"),
            "subset": sheet.labels("subset").fill_null(sheet.labels("domain")),
            "prompt": sheet.texts("prompt"),
        }
    )
    rows: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for row, item in enumerate(described.iter_rows(named=True)):
        names: dict[str, list[str]] = {}
        for side in _SIDES:
            texts, scores = _side(sheet, row, side, columns, cells)
            names[side] = [side if len(texts) == 1 else f"{side}-{place + 1}" for place in range(len(texts))]
            for name, text, score in zip(names[side], texts, scores, strict=True):
                prompt, response = _conversation(text)
                item["prompt"] = prompt if item["prompt"] is None else item["prompt"]
                rated = {"response_id": name, "reward_model": models[row], "score": score, "response": response}
                rows.append({"row": row} | item | rated)
        pairs += [
            {"row": row, "prompt_id": item["prompt_id"], "chosen_id": chosen, "rejected_id": rejected}
            for chosen in names["chosen"]
            for rejected in names["rejected"]
        ]
    return Pieces(of_rows(rows, number, LONG), pairs=of_rows(pairs, number, PAIRS))


def _prompt_ids(sheet: Sheet, columns: dict[str, str]) -> list[str]:
    """RM-Bench's ids as they are; RewardBench's with their subset, in which they start again; else the row."""
    given = [name for name in ("prompt_id", "id") if name in sheet.frame.columns]
    if not given:
        return [f"item-{row + 1:06d}" for row in range(sheet.frame.height)]
    items = sheet.ids(given[0]).to_list()
    if {"text_chosen", "scores_chosen"}.isdisjoint(columns.values()) or "subset" not in sheet.frame.columns:
        return items
    return [f"{subset}/{item}" for subset, item in zip(sheet.ids("subset"), items, strict=True)]


def _models(sheet: Sheet) -> list[str]:
    """The reward model of each row: by column, else by the file's name without what the benchmarks add to it."""
    for column in ("reward_model", "model"):
        if column in sheet.frame.columns:
            return sheet.ids(column).to_list()
    stem = sheet.name.rsplit(".", 1)[0]
    name = _RM_BENCH_DATA.sub("", _RM_BENCH_NAME.sub("", stem)).removesuffix("_all")
    return [name or stem] * sheet.frame.height


class _Side(NamedTuple):
    """An item's chosen or rejected responses: as many texts as scores."""

    texts: list[Any]
    scores: list[float | None]


def _side(sheet: Sheet, row: int, side: str, columns: dict[str, str], cells: dict[str, list[Any]]) -> _Side:
    text, score = f"text_{side}", f"score_{side}"
    scores: list[float | None] | None = None
    if score in columns:
        scores = [_score(sheet, row, columns[score], value) for value in cells[score][row]]
    if text not in columns:
        return _Side([""] * len(scores or []), scores or [])
    cell = cells[text][row]
    if cell is None:
        raise sheet.wrong(row, columns[text], cell, "every row needs one")
    texts = as_list(cell)
    if scores == [None]:  # null for the whole item: every response lacks its score
        scores = [None] * (1 if all(len(other) == 1 for other in cells[score]) else len(texts or [cell]))
    if scores is not None and len(scores) == 1:  # then a text in brackets is a text, unless it is a conversation
        if _is_conversation(texts):
            texts = [texts]
        elif not (texts and len(texts) == 1 and isinstance(texts[0], str)):
            texts = [cell]
    if not texts:
        raise sheet.wrong(row, columns[text], cell, "wanted a list with something in it, as JSON or Python writes it")
    if scores is not None and len(scores) != len(texts):
        raise sheet.wrong(row, columns[score], scores, f"wanted {len(texts)} scores, one for each of {columns[text]}")
    return _Side(texts, scores or [None] * len(texts))


def _score(sheet: Sheet, row: int, column: str, value: Any) -> float | None:
    """A score as it is in the file; None if it is missing."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None or (isinstance(value, str) and value.strip().lower() in MISSING):
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
    except OverflowError:
        number = math.inf
    except ValueError:
        raise sheet.wrong(row, column, value, "wanted a number, or null for a missing score") from None
    return None if math.isnan(number) else number


def _is_conversation(texts: list[Any] | None) -> bool:
    return bool(texts) and all(isinstance(turn, dict) and isinstance(turn.get("content"), str) for turn in texts or [])


def _conversation(text: Any) -> tuple[str | None, str]:
    """Prompt and response of a text that may be a conversation: the last turn is the response."""
    if isinstance(text, list) and _is_conversation(text):
        return "\n\n".join(turn["content"] for turn in text[:-1]), text[-1]["content"]
    return None, text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
