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
from typing import Any

import numpy as np

from warehouse.exchange import sheet as exchange_sheet
from warehouse.exchange.scored_rows import Pieces, long_rows, pair_rows
from warehouse.exchange.sheet import Sheet

_SIDES = ("chosen", "rejected")
_RM_BENCH_NAME = re.compile(r"_REWORD_MODEL_\d{8}_\d{6}$")
_RM_BENCH_DATA = re.compile(
    r"^(chat|code|math|safety-refuse|safety-response|total)_(filtered|dataset)_|^total_dataset_"
)


def columns_of(sheet: Sheet) -> dict[str, str]:
    """Which columns hold texts and scores of either side, by `text_<side>` and `score_<side>`; empty if none do."""
    there = set(sheet.frame.columns)
    found: dict[str, str] = {}
    for side in _SIDES:
        for name in (f"scores_{side}", f"score_{side}"):
            if name in there:
                found[f"score_{side}"] = name
        if f"text_{side}" in there:
            found[f"text_{side}"] = f"text_{side}"
        elif side in there:
            is_score = sheet.frame[side].dtype.is_numeric() and f"score_{side}" not in found
            found[f"{'score' if is_score else 'text'}_{side}"] = side
    return found


def is_benchmark(sheet: Sheet) -> bool:
    """Whether the columns are RewardBench's or RM-Bench's."""
    found = columns_of(sheet)
    if all(f"score_{side}" in found for side in _SIDES):
        return True
    both = all(f"text_{side}" in found for side in _SIDES)
    return both and all(exchange_sheet.looks_listed(sheet.frame[found[f"text_{side}"]]) for side in _SIDES)


def is_scored(sheet: Sheet) -> bool:
    """Whether a benchmark's file has scores too."""
    return any(key.startswith("score_") for key in columns_of(sheet))


def read_benchmark(sheet: Sheet, number: int) -> Pieces:
    """Long rows and preference pairs of a file of either benchmark."""
    found = columns_of(sheet)
    scored = is_scored(sheet)
    needed = [f"score_{side}" for side in _SIDES] if scored else [f"text_{side}" for side in _SIDES]
    for key in needed:
        if key not in found:
            raise sheet.wrong(0, key, sheet.frame.columns, f"wanted chosen and rejected: add column {key}")
    prompt_ids, subsets = _prompt_ids(sheet, found), exchange_sheet.labels(sheet, "subset").to_list()
    domains = exchange_sheet.labels(sheet, "domain").to_list()
    prompts, categories = (
        exchange_sheet.texts(sheet, "prompt").to_list(),
        exchange_sheet.labels(sheet, "category").to_list(),
    )
    models = _models(sheet) if scored else [None] * sheet.frame.height
    values = {
        key: exchange_sheet.listed(sheet, column) if key.startswith("score_") else sheet.frame[column].to_list()
        for key, column in found.items()
    }
    rows: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for row, prompt_id in enumerate(prompt_ids):
        names: dict[str, list[str]] = {}
        prompt = prompts[row]
        for side in _SIDES:
            texts, scores = _side(sheet, row, side, found, values)
            names[side] = [side if len(texts) == 1 else f"{side}-{place + 1}" for place in range(len(texts))]
            for name, text, score in zip(names[side], texts, scores, strict=True):
                asked, response = _conversation(text)
                prompt = prompt if prompt is not None else asked
                described = {"category": categories[row], "subset": subsets[row] or domains[row], "prompt": prompt}
                ids = {"row": row, "prompt_id": prompt_id, "response_id": name, "reward_model": models[row]}
                rows.append(ids | described | {"score": score, "response": response})
        pairs += [
            {"row": row, "prompt_id": prompt_id, "chosen_id": chosen, "rejected_id": rejected}
            for chosen in names["chosen"]
            for rejected in names["rejected"]
        ]
    return Pieces(long_rows(rows, number), pairs=pair_rows(pairs, number))


def _prompt_ids(sheet: Sheet, found: dict[str, str]) -> list[str]:
    """RM-Bench's ids as they are; RewardBench's with their subset, as they count anew in each; else the row."""
    if "id" not in sheet.frame.columns and "prompt_id" not in sheet.frame.columns:
        return [f"item-{row + 1:06d}" for row in range(sheet.frame.height)]
    items = exchange_sheet.ids(sheet, "prompt_id" if "prompt_id" in sheet.frame.columns else "id").to_list()
    names = set(found.values())
    if not names & {"text_chosen", "scores_chosen"} or "subset" not in sheet.frame.columns:
        return items
    return [f"{subset}/{item}" for subset, item in zip(exchange_sheet.ids(sheet, "subset"), items, strict=True)]


def _models(sheet: Sheet) -> list[str]:
    for column in ("reward_model", "model"):
        if column in sheet.frame.columns:
            return exchange_sheet.ids(sheet, column).to_list()
    stem = sheet.name.rsplit(".", 1)[0]
    name = _RM_BENCH_DATA.sub("", _RM_BENCH_NAME.sub("", stem)).removesuffix("_all")
    return [name or stem] * sheet.frame.height


def _side(
    sheet: Sheet, row: int, side: str, found: dict[str, str], values: dict[str, list[Any]]
) -> tuple[list[Any], list[float | None]]:
    """Texts and scores of an item's chosen or rejected responses, as many of one as of the other."""
    text, score = f"text_{side}", f"score_{side}"
    scores: list[float | None] | None = None
    if score in found:
        scores = [_score(sheet, row, found[score], value) for value in values[score][row]]
    if text not in found:
        return [""] * len(scores or []), scores or []
    cell = values[text][row]
    if cell is None:
        raise sheet.wrong(row, found[text], cell, "every row needs one")
    texts = exchange_sheet.as_list(cell)
    if scores is not None and len(scores) == 1:  # then a text in brackets is a text, unless it is a conversation
        texts = (
            texts
            if texts and len(texts) == 1 and isinstance(texts[0], str)
            else [texts if _is_conversation(texts) else cell]
        )
    if not texts:
        raise sheet.wrong(row, found[text], cell, "wanted a list with something in it, as JSON or Python writes it")
    if scores is not None and len(scores) != len(texts):
        raise sheet.wrong(row, found[score], scores, f"wanted {len(texts)} scores, one for each of {found[text]}")
    return texts, scores or [None] * len(texts)


def _score(sheet: Sheet, row: int, column: str, value: Any) -> float:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or abs(number) > float(np.finfo(np.float32).max):
        raise sheet.wrong(row, column, value, "wanted a finite number of 32 bits: mend it or leave the item out")
    return number


def _is_conversation(texts: list[Any] | None) -> bool:
    return bool(texts) and all(isinstance(turn, dict) and isinstance(turn.get("content"), str) for turn in texts or [])


def _conversation(text: Any) -> tuple[str | None, str]:
    """Prompt and response of a text that may be a conversation: the last turn is the response."""
    if isinstance(text, list) and _is_conversation(text):
        return "\n\n".join(turn["content"] for turn in text[:-1]), text[-1]["content"]
    return None, text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
