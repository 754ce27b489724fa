"""A row a prompt: lists of responses and of their scores, numbered columns of scores, or completions as objects.

RewardBench 2 (arXiv 2506.01937, `scripts/run_v2.py`: `text, scores, num_correct, subset, id`; the first `num_correct`
responses are right), RLHFlow's Online-RLHF (`responses, rewards`), distilabel (`generations, ratings`), best-of-k of
Preference Proxy Evaluations (arXiv 2410.14872: `question_id, score_1 … score_k`, `scores` says which are right),
UltraFeedback (`completions`, each with several scores).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from warehouse.exchange.known_columns import is_metadata
from warehouse.exchange.layouts import cells
from warehouse.exchange.layouts.items import Items, item_ids, prompts_of
from warehouse.exchange.layouts.source import PROMPT_IDS, PROMPTS, Part, Source

_IDS = (*PROMPT_IDS, "id", "uid", "item_id")
_MODELS = ("reward_model", "reward_model_name", "scorer", "rm", "judge", "judge_model")
_RESPONSES: tuple[str, ...] = (
    "text",
    "texts",
    "responses",
    "completions",
    "generations",
    "outputs",
    "answers",
    "candidates",
    "response",
)
_RESPONSES += ("completion", "output", "all_responses", "samples")
_SCORES = ("scores", "rewards", "score", "reward", "rm_scores", "ratings", "all_rewards", "rm_score", "logits")
_LABELS = ("labels", "correct", "is_correct", "corrects", "correctness", "label")
_COMPLETIONS = ("completions", "responses", "candidates", "generations", "outputs", "answers", "samples")
_NUMBERED = re.compile(r"^(?:score|reward|rating|rm_score)s?_(\d+)$")
_NAMED_SCORE = re.compile(r"(score|reward|rating)", re.IGNORECASE)


def takes(source: Source) -> bool:
    """Whether a row has a list of responses, or an id, and a list of scores."""
    return _columns(source) is not None


def read(source: Source) -> Part:
    """Long rows of lists of responses and scores; `num_correct` and lists of labels say which are right."""
    columns = _columns(source)
    assert columns is not None  # by `takes`
    responses, scored = columns
    sheet = source.sheet
    texts = None if responses is None else cells.plain(sheet, responses)
    lists = cells.plain(sheet, scored)
    correct = cells.scores(sheet, "num_correct").to_list() if "num_correct" in source.columns else None
    labels = source.column([name for name in _LABELS if name in source.columns and _is_list(source, name)])
    given = None if labels is None else cells.plain(sheet, labels)
    items = _items(source)
    models = source.models((*_MODELS, "model") if correct is not None else _MODELS).to_list()
    for row, values in enumerate(lists):
        cell_texts = [None] * len(values or ()) if texts is None else texts[row]
        scores = _scores(source, row, scored, values, cell_texts)
        turns = [cells.conversation(text) for text in cell_texts]
        if turns and items.prompts[row] is None:
            items.prompts[row] = turns[0].prompt
        marks: list[float | None] = [None] * len(turns)
        if correct is not None and correct[row] is not None:
            marks = [float(place < correct[row]) for place in range(len(turns))]
        elif given is not None and isinstance(given[row], list) and len(given[row]) == len(turns):
            marks = [_label(value) for value in given[row]]
        names = _names(marks) if correct is not None else _places(len(turns))
        by_text = items.ids[row] is None or (texts is not None and correct is None and "id" not in source.columns)
        items.add(
            row,
            models[row],
            response_id=[None] * len(turns) if items.ids[row] is None and by_text else names,
            response=[turn.response for turn in turns],
            score=scores,
            label=marks,
        )
    return Part(items.pieces(preferences=correct is not None), _identity(items))


def takes_numbered(source: Source) -> bool:
    """Whether the scores of a prompt's responses are in columns score_1, score_2 and so on."""
    return len(_numbered(source)) >= 2 and source.column(_IDS + PROMPTS) is not None


def read_numbered(source: Source) -> Part:
    """Long rows of best-of-k: a list `scores` beside the numbered columns says which responses are right."""
    sheet, numbered = source.sheet, _numbered(source)
    scores = {place: cells.scores(sheet, name).to_list() for place, name in numbered.items()}
    texts = {
        place: cells.texts(sheet, name).to_list()
        for place in numbered
        if (name := source.column((f"response_{place}", f"answer_{place}", f"output_{place}")))
    }
    given = cells.plain(sheet, "scores") if "scores" in source.columns else None
    items, models = _items(source), source.models(_MODELS).to_list()
    for row in range(sheet.frame.height):
        marks: list[float | None] = [None] * len(numbered)
        if given is not None and isinstance(given[row], list):
            if len(given[row]) != len(numbered):
                remedy = f"wanted {len(numbered)} labels, one for each of {next(iter(numbered.values()))} and so on"
                raise sheet.wrong(row, "scores", given[row], remedy)
            marks = [_label(value) for value in given[row]]
        items.add(
            row,
            models[row],
            response_id=[f"response-{place}" for place in numbered],
            response=[texts[place][row] if place in texts else None for place in numbered],
            score=[scores[place][row] for place in numbered],
            label=marks,
        )
    return Part(items.pieces(preferences=False), _identity(items))


def takes_completions(source: Source) -> bool:
    """Whether a row has a list of objects, each a response with one or several scores."""
    column = _completions(source)
    return column is not None


def read_completions(source: Source) -> Part:
    """Long rows of completions; each of their numbers that is a score by its name is a scorer."""
    column = _completions(source)
    assert column is not None  # by `takes_completions`
    items, rows = _items(source), cells.plain(source.sheet, column)
    parsed = [[_rated(value) for value in row] if isinstance(row, list) else [] for row in rows]
    scorers = dict.fromkeys(name for row in parsed for rated in row for name in rated)
    fallback = source.models(_MODELS).to_list()
    alone = len(scorers) == 1 and next(iter(scorers)) in ("score", "reward", "rating", "rm_score")
    for row, completions in enumerate(rows):
        if not isinstance(completions, list) or not completions:
            raise source.sheet.wrong(row, column, completions, "wanted a list of responses with their scores")
        turns = [cells.conversation(value) for value in completions]
        for scorer in scorers:
            items.add(
                row,
                fallback[row] if alone else scorer,
                response_id=[None] * len(turns) if items.ids[row] is None else _places(len(turns)),
                response=[turn.response for turn in turns],
                score=[rated.get(scorer) for rated in parsed[row]],
            )
    return Part(items.pieces(preferences=False), _identity(items), keyed=not alone)


def _items(source: Source) -> Items:
    ids = item_ids(source, _IDS, with_subset=True if {"num_correct", "subset", "id"} <= source.columns else None)
    rows = source.sheet.frame.height
    return Items(source, ids or [None] * rows, prompts_of(source, source.column(PROMPTS)))


def _identity(items: Items) -> str:
    return "texts" if None in items.ids else "items"


def _columns(source: Source) -> tuple[str | None, str] | None:
    """The columns of responses (None: there are ids alone) and of scores; None if it is another form."""
    scored = next((name for name in _SCORES if name in source.columns and _is_list(source, name)), None)
    if scored is None:
        return None
    for name in _RESPONSES:
        if name in source.columns and cells.is_text_list(cells.first_value(source.sheet, name)):
            return name, scored
    value = cells.first_value(source.sheet, scored)
    return (None, scored) if len(value) > 1 and source.column(_IDS) and not _numbered(source) else None


def _is_list(source: Source, column: str) -> bool:
    value = cells.first_value(source.sheet, column)
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(v, bool) or v is None or cells.is_number(v) for v in value)
    )


def _scores(source: Source, row: int, column: str, values: Any, texts: Any) -> list[float | None]:
    if values is None and isinstance(texts, list):
        return [None] * len(texts)
    if not isinstance(values, list) or not isinstance(texts, list):
        raise source.sheet.wrong(row, column, values, "wanted a list of responses and one of their scores")
    if len(values) != len(texts):
        raise source.sheet.wrong(row, column, values, f"wanted {len(texts)} scores, one for each response")
    scores = []
    for value in values:
        try:
            scores.append(cells.number(value))
        except ValueError:
            raise source.sheet.wrong(row, column, value, "wanted a number, or null for a missing score") from None
    return scores


def _label(value: Any) -> float | None:
    if isinstance(value, bool):
        return float(value)
    try:
        return cells.number(value)
    except ValueError:
        return None


def _names(marks: Sequence[float | None]) -> list[str]:
    """`chosen` and `rejected` with their place among their like; a side of one response has no number."""
    sides = ["chosen" if mark == 1 else "rejected" for mark in marks]
    return [
        side if sides.count(side) == 1 else f"{side}-{sides[: place + 1].count(side)}"
        for place, side in enumerate(sides)
    ]


def _places(count: int) -> list[str]:
    return [f"response-{place + 1}" for place in range(count)]


def _numbered(source: Source) -> dict[int, str]:
    """Columns of scores by their number, in its order."""
    matches = ((name, _NUMBERED.match(name)) for name in source.sheet.frame.columns)
    return dict(sorted((int(match[1]), name) for name, match in matches if match))


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
            rated |= {key: _label(part) for key, part in inner.items() if not isinstance(part, list | dict)}
        elif _NAMED_SCORE.search(name) and not is_metadata(name) and cells.is_number(cell):
            rated[name] = cells.number(cell)
    return rated
