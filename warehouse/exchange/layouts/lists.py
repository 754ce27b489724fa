"""A row a prompt with lists of responses and of their scores, by one or several scorers.

RewardBench 2 (arXiv 2506.01937, `scripts/run_v2.py`: `text, scores, num_correct, subset, id`; the first `num_correct`
responses are right), RLHFlow's Online-RLHF (`responses, rewards`), distilabel (`generations, ratings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from warehouse.exchange.known_columns import is_metadata
from warehouse.exchange.layouts import cells
from warehouse.exchange.layouts.prompt_rows import IDS, MODELS, items_of, label_of, numbered, numbered_names, part_of
from warehouse.exchange.layouts.source import RESPONSE_IDS, Part, Source

_RESPONSES: tuple[str, ...] = ("responses", "text", "texts", "completions", "generations", "outputs", "answers")
_RESPONSES += ("candidates", "response", "completion", "output", "all_responses", "samples")
_SCORES = ("scores", "rewards", "score", "reward", "rm_scores", "ratings", "all_rewards", "rm_score", "logits")
_LABELS = ("labels", "correct", "is_correct", "corrects", "correctness", "label")


def takes(source: Source) -> bool:
    """Whether a row has a list of responses, or an id, and a list of scores."""
    return _columns(source) is not None


def read(source: Source) -> Part:
    """Long rows of lists of responses and scores; `num_correct` and lists of labels say which are right."""
    columns = _columns(source)
    assert columns is not None  # by `takes`
    sheet = source.sheet
    texts = None if columns.responses is None else cells.plain(sheet, columns.responses)
    correct = cells.scores(sheet, "num_correct").to_list() if "num_correct" in source.columns else None
    labels = source.column([name for name in _LABELS if name in source.columns and _is_labels(source, name)])
    given = None if labels is None else cells.plain(sheet, labels)
    items = items_of(source)
    models = source.models((*MODELS, "model") if correct is not None else MODELS).to_list()
    for scorer, scored in _scorers(source, columns).items():
        for row, values in enumerate(scored.lists):
            cell_texts = [None] * (len(values) if isinstance(values, list) else 0) if texts is None else texts[row]
            scores = _scores(source, row, scored.column, values, cell_texts)
            turns = [cells.conversation(text) for text in cell_texts]
            if turns and items.prompts[row] is None:
                items.prompts[row] = turns[0].prompt
            marks: list[float | None] = [None] * len(turns)
            if correct is not None and correct[row] is not None:
                marks = [float(place < correct[row]) for place in range(len(turns))]
            elif given is not None and isinstance(given[row], list) and len(given[row]) == len(turns):
                marks = [label_of(value) for value in given[row]]
            names = _names(marks) if correct is not None else numbered_names(len(turns))
            items.add(
                row,
                models[row] if scorer is None else scorer,
                response_id=[None] * len(turns) if items.ids[row] is None and correct is None else names,
                response=[turn.response for turn in turns],
                score=scores,
                label=marks,
            )
    used = (columns.responses, *columns.scores, labels, "num_correct", *(["model"] if correct is not None else []))
    return part_of(items, used, preferences=correct is not None, keyed=columns.keyed)


class _Columns(NamedTuple):
    """The columns of responses (None: there are ids alone) and of scores, and whether those name scorers."""

    responses: str | None
    scores: tuple[str, ...]
    keyed: bool


class _Scored(NamedTuple):
    """A scorer's column, and its list for each row."""

    column: str
    lists: list[Any]


def _columns(source: Source) -> _Columns | None:
    """The columns of a file of lists; None if it is another form, such as one of a response a row."""
    if source.column(RESPONSE_IDS):
        return None
    responses = next((name for name in _RESPONSES if _is_texts(source, name)), None)
    for name in _SCORES:
        if name in source.columns:
            if _is_list(source, name) and (responses or _has_ids(source, name)):
                return _Columns(responses, (name,), keyed=False)
            if responses and _by_key(cells.first_value(source.sheet, name)):
                return _Columns(responses, (name,), keyed=True)
    if responses is None or source.column(_SCORES):
        return None
    known = {responses, "num_correct", *_LABELS}
    named = [name for name in source.sheet.frame.columns if name not in known and not is_metadata(name)]
    scorers = tuple(name for name in named if _is_list(source, name) and not isinstance(_first(source, name)[0], bool))
    return _Columns(responses, scorers, keyed=True) if scorers else None


def _scorers(source: Source, columns: _Columns) -> dict[str | None, _Scored]:
    """Each scorer's lists of scores, a list for each row; the scorer None is the file's reward model."""
    given = {name: cells.plain(source.sheet, name) for name in columns.scores}
    if not columns.keyed:
        return {None: _Scored(*next(iter(given.items())))}
    if len(given) > 1 or not _by_key(_first(source, columns.scores[0])):
        return {name: _Scored(name, lists) for name, lists in given.items()}
    ((column, rows),) = given.items()
    by_key = [_by_key(value) for value in rows]
    keys = dict.fromkeys(key for lists in by_key for key in lists)
    return {key: _Scored(f"{column}.{key}", [lists.get(key) for lists in by_key]) for key in keys}


def _by_key(value: Any) -> dict[str, list[Any]]:
    """Lists of scores by scorer, of an object of lists or of a list of objects; empty for anything else."""
    if isinstance(value, dict) and value and all(cells.is_score_list(scores) for scores in value.values()):
        return value
    if isinstance(value, list) and value and all(isinstance(scores, dict) for scores in value):
        keys = dict.fromkeys(key for scores in value for key in scores)
        return {key: [scores.get(key) for scores in value] for key in keys}
    return {}


def _first(source: Source, column: str) -> Any:
    return cells.first_value(source.sheet, column)


def _is_texts(source: Source, column: str) -> bool:
    return column in source.columns and cells.is_text_list(_first(source, column))


def _has_ids(source: Source, column: str) -> bool:
    """Whether rows without texts are a prompt's scores: they have an id and several scores."""
    return len(_first(source, column)) > 1 and source.column(IDS) is not None and not numbered(source)


def _is_list(source: Source, column: str) -> bool:
    value = cells.first_value(source.sheet, column)
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(v, bool) or v is None or cells.is_number(v) for v in value)
    )


def _is_labels(source: Source, column: str) -> bool:
    """Whether a column holds lists of what is right and wrong, or of grades."""
    value = cells.first_value(source.sheet, column)
    return isinstance(value, list) and bool(value) and all(v is None or label_of(v) is not None for v in value)


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


def _names(marks: Sequence[float | None]) -> list[str]:
    """`chosen` and `rejected` with their place among their like; a side of one response has no number."""
    sides = ["chosen" if mark == 1 else "rejected" for mark in marks]
    return [
        side if sides.count(side) == 1 else f"{side}-{sides[: place + 1].count(side)}"
        for place, side in enumerate(sides)
    ]
