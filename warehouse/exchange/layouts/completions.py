"""A row a prompt with completions as objects, each with several scores, or with numbered columns of scores.

UltraFeedback (`completions`) and best-of-k of Preference Proxy Evaluations (arXiv 2410.14872: `question_id, score_1 …
score_k`; the list `scores` says which responses are right).
"""

from __future__ import annotations

import re
from typing import Any

from warehouse.exchange.known_columns import is_metadata
from warehouse.exchange.layouts import cells
from warehouse.exchange.layouts.prompt_rows import IDS, MODELS, items_of, label_of, numbered, numbered_names, part_of
from warehouse.exchange.layouts.source import PROMPTS, Part, Source

_COMPLETIONS = ("completions", "responses", "candidates", "generations", "outputs", "answers", "samples")
_NAMED_SCORE = re.compile(r"(score|reward|rating)", re.IGNORECASE)


def takes_numbered(source: Source) -> bool:
    """Whether the scores of a prompt's responses are in columns score_1, score_2 and so on."""
    return len(numbered(source)) >= 2 and source.column(IDS + PROMPTS) is not None


def read_numbered(source: Source) -> Part:
    """Long rows of best-of-k: a list `scores` beside the numbered columns says which responses are right."""
    sheet, columns = source.sheet, numbered(source)
    scores = {place: cells.scores(sheet, name).to_list() for place, name in columns.items()}
    texts = {
        place: cells.texts(sheet, name).to_list()
        for place in columns
        if (name := source.column((f"response_{place}", f"answer_{place}", f"output_{place}")))
    }
    given = cells.plain(sheet, "scores") if "scores" in source.columns else None
    items, models = items_of(source), source.models(MODELS).to_list()
    for row in range(sheet.frame.height):
        marks: list[float | None] = [None] * len(columns)
        if given is not None and isinstance(given[row], list):
            if len(given[row]) != len(columns):
                remedy = f"wanted {len(columns)} labels, one for each of {next(iter(columns.values()))} and so on"
                raise sheet.wrong(row, "scores", given[row], remedy)
            marks = [label_of(value) for value in given[row]]
        items.add(
            row,
            models[row],
            response_id=[f"response-{place}" for place in columns],
            response=[texts[place][row] if place in texts else None for place in columns],
            score=[scores[place][row] for place in columns],
            label=marks,
        )
    written = [f"{word}_{place}" for word in ("response", "answer", "output") for place in columns]
    return part_of(items, (*columns.values(), *written, "scores"))


def takes_completions(source: Source) -> bool:
    """Whether a row has a list of objects, each a response with one or several scores."""
    column = _completions(source)
    return column is not None


def read_completions(source: Source) -> Part:
    """Long rows of completions; each of their numbers that is a score by its name is a scorer."""
    column = _completions(source)
    assert column is not None  # by `takes_completions`
    items, rows = items_of(source), cells.plain(source.sheet, column)
    parsed = [[_rated(value) for value in row] if isinstance(row, list) else [] for row in rows]
    scorers = dict.fromkeys(name for row in parsed for rated in row for name in rated)
    fallback = source.models(MODELS).to_list()
    alone = len(scorers) == 1 and next(iter(scorers)) in ("score", "reward", "rating", "rm_score")
    for row, completions in enumerate(rows):
        if not isinstance(completions, list) or not completions:
            raise source.sheet.wrong(row, column, completions, "wanted a list of responses with their scores")
        turns = [cells.conversation(value) for value in completions]
        for scorer in scorers:
            items.add(
                row,
                fallback[row] if alone else scorer,
                response_id=[None] * len(turns) if items.ids[row] is None else numbered_names(len(turns)),
                response=[turn.response for turn in turns],
                score=[rated.get(scorer) for rated in parsed[row]],
            )
    return part_of(items, (column,), keyed=not alone)


def _completions(source: Source) -> str | None:
    for name in _COMPLETIONS:
        if name in source.columns:
            value = cells.first_value(source.sheet, name)
            if isinstance(value, list) and value and isinstance(value[0], dict) and any(_rated(part) for part in value):
                return name
    return None


def _rated(value: Any) -> dict[str, float | None]:
    """The scores of a completion by their names: its own, those in `scores`, and ratings of its `annotations`."""
    if not isinstance(value, dict):
        return {}
    rated: dict[str, float | None] = {}
    for name, cell in value.items():
        if isinstance(cell, dict) and name in ("scores", "rewards", "ratings", "annotations"):
            inner = {
                key: part.get("Rating", part.get("rating")) if isinstance(part, dict) else part
                for key, part in cell.items()
            }
            rated |= {key: label_of(part) for key, part in inner.items() if not isinstance(part, list | dict)}
        elif _NAMED_SCORE.search(name) and not is_metadata(name) and cells.is_number(cell):
            rated[name] = cells.number(cell)
    return rated
