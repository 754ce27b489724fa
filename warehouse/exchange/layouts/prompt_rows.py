"""What the forms of a row a prompt have in common: ids, prompts, names of responses and labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from warehouse.exchange.layouts import cells
from warehouse.exchange.layouts.items import Items, item_ids, places, prompts_of
from warehouse.exchange.layouts.source import KNOWN, PROMPT_IDS, Part, Source

IDS = (*PROMPT_IDS, "id", "uid", "item_id")
MODELS = ("reward_model", "reward_model_name", "scorer", "rm", "judge", "judge_model")
_NUMBERED = re.compile(r"^(?:score|reward|rating|rm_score)s?_(\d+)$")


def items_of(source: Source) -> Items:
    """The rows of a file as items, with their ids and prompts where it has them."""
    ids = item_ids(source, IDS, with_subset=True if {"num_correct", "subset", "id"} <= source.columns else None)
    prompts = prompts_of(source)
    return Items(source, ids or [None] * len(prompts), prompts)


def part_of(items: Items, used: Sequence[str | None], *, preferences: bool = False, keyed: bool = False) -> Part:
    """With ids of the file, else told by texts, else, where prompts have no texts either, by their places.

    `used` are the columns of responses, scores and labels; others than these and those of `items_of` are named.
    """
    source = items.source
    known = (*used, source.column(IDS), source.column(MODELS), *KNOWN)
    notes = source.left_out(known, "scores in lists")
    if None not in items.ids:
        return Part(items.pieces(preferences=preferences), "items", notes, keyed=keyed)
    if None not in items.prompts and not preferences:
        return Part(items.pieces(preferences=preferences), "texts", notes, keyed=keyed)
    items.ids = places(source)
    return Part(items.pieces(preferences=preferences, places=True), "places", notes, keyed=keyed)


def label_of(value: Any) -> float | None:
    """What a value says of a response: right or wrong, or a grade; None if it is neither."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and value.strip().lower() in cells.LABEL_WORDS:
        return float(cells.LABEL_WORDS[value.strip().lower()])
    try:
        return cells.number(value)
    except ValueError:
        return None


def numbered_names(count: int) -> list[str]:
    """Ids of responses by their place."""
    return [f"response-{place + 1}" for place in range(count)]


def numbered(source: Source) -> dict[int, str]:
    """Columns of scores by their number, in its order."""
    matches = ((name, _NUMBERED.match(name)) for name in source.sheet.frame.columns)
    return dict(sorted((int(match[1]), name) for name, match in matches if match))
