"""Items of a chosen and a rejected side, each with texts and scores under any of their common names.

RewardBench (arXiv 2403.13787: `text_chosen, text_rejected, scores_chosen, scores_rejected, subset, id`, a file for each
reward model; its `--save_all` and LLaMA-Factory write `chosen, rejected` alone, both scores), its command line,
RM-Bench (arXiv 2410.16184: several responses a side), RMB (arXiv 2410.09893), Generalizable-Reward-Model, TRL. Without
scores a file of lists only describes prompts, responses and preferences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from warehouse.exchange.known_columns import is_metadata
from warehouse.exchange.layouts import cells
from warehouse.exchange.layouts.items import Items, item_ids, places, prompts_of
from warehouse.exchange.layouts.source import KNOWN, Part, Source
from warehouse.exchange.sheet import invalid, value_in

_IDS = ("prompt_id", "id", "pair_id", "pair_uid", "uid", "item_id", "question_id", "source_ids", "source_id")
_SIDES = ("chosen", "rejected")
_SPELLED = {"chosen": ("chosen",), "rejected": ("rejected", "reject")}
_TEXT = (
    "{side}",
    "text_{side}",
    "{side}_text",
    "{side}_response",
    "response_{side}",
    "{side}_prompts",
    "{side}_prompt",
)
_SCORE_WORDS = ("score", "scores", "reward", "rewards", "rm_score", "rm_scores", "rating", "ratings", "logit", "logits")
_NAMED = re.compile(r"^(?:(?P<before>.+)[_-](?:chosen|rejected|reject)|(?:chosen|rejected|reject)[_-](?P<after>.+))$")
_NO_SCORER = re.compile(r"(^|_)(model|text|response|prompts?|labels?|policy|avg_\w+)$")


@dataclass(frozen=True)
class Columns:
    """The columns of both sides: texts, and scores by the name of a scorer (None: the file's reward model)."""

    texts: dict[str, str]
    scores: dict[str | None, dict[str, str]]


def columns_of(source: Source) -> Columns:
    """Which columns hold texts and scores of either side; both may be absent."""
    names = source.sheet.frame.columns
    scores: dict[str | None, dict[str, str]] = {}
    sided = {side: _scores(source, side) for side in _SIDES}
    for word in _SCORE_WORDS:
        if all(word in sided[side] for side in _SIDES):
            scores = {None: {side: sided[side][word] for side in _SIDES}}
            break
    if not scores:  # the two sides may use two words, or one of them be absent, which is said later
        one_each = {
            side: next((sided[side][word] for word in _SCORE_WORDS if word in sided[side]), "") for side in _SIDES
        }
        scores = {None: {side: name for side, name in one_each.items() if name}} if any(one_each.values()) else {}
    used = [name for sides in scores.values() for name in sides.values()]
    texts = {}
    for side in _SIDES:
        forms = [form.format(side=spelled) for spelled in _SPELLED[side] for form in _TEXT]
        given = [name for name in forms if name in names and name not in used]
        plain = [name for name in given if not (name in _SPELLED[side] and _is_scores(source, name))]
        if plain:
            texts[side] = plain[0]
        if given and given[0] not in plain and not scores.get(None, {}).get(side):
            scores[None] = {**scores.get(None, {}), side: given[0]}
    if not scores:
        scores = _named_scorers(source)
    return Columns(texts, scores)


def takes(source: Source) -> bool:
    """Whether both sides have scores, or texts of which each is a list."""
    columns = columns_of(source)
    if columns.scores and (
        all(set(sides) == set(_SIDES) for sides in columns.scores.values()) or len(columns.texts) == 2
    ):
        return True
    texts = [columns.texts.get(side) for side in _SIDES]
    return all(name is not None and _is_list_of_texts(source, name) for name in texts)


def is_scored(source: Source) -> bool:
    """Whether such a file has scores too."""
    return bool(columns_of(source).scores)


def takes_logits(source: Source) -> bool:
    """Whether it is TRL's table of samples: both texts, and both scores in one list."""
    logits = cells.first_value(source.sheet, "logits") if "logits" in source.columns else None
    return len(columns_of(source).texts) == 2 and isinstance(logits, list) and len(logits) == 2


def read_logits(source: Source) -> Part:
    """TRL's table of samples: column `logits` has the score of the chosen and of the rejected text."""
    values = cells.plain(source.sheet, "logits")
    for row, value in enumerate(values):
        if not isinstance(value, list) or len(value) != 2:
            raise source.sheet.wrong(row, "logits", value, "wanted two scores, of the chosen and of the rejected text")
    sides = [[[value[place]] for value in values] for place in range(len(_SIDES))]
    return _read(source, columns_of(source).texts, {None: _Values(["logits", "logits"], sides)})


def read(source: Source) -> Part:
    """Long rows and preferences of a file of pairs."""
    columns = columns_of(source)
    wanted_kind, given = ("score", columns.scores) if columns.scores else ("text", {None: columns.texts})
    for side in _SIDES:
        for sides in given.values():
            if side not in sides:
                key, got = f"{wanted_kind}_{side}", source.sheet.frame.columns
                remedy = f"both sides need one: add column {key}"
                raise source.sheet.wrong(0, key, got, remedy)
    values = {
        scorer: _Values([sides[side] for side in _SIDES], [cells.lists(source.sheet, sides[side]) for side in _SIDES])
        for scorer, sides in columns.scores.items()
    }
    return _read(source, columns.texts, values)


@dataclass(frozen=True)
class _Side:
    """One side's texts and one scorer's scores of it; without the one or the other, its column is None."""

    name: str
    text_column: str | None
    raw: list[Any]
    texts: list[Any]
    score_column: str | None
    scores: list[Any]

    @property
    def has_several(self) -> bool:
        """Whether any item has more than one score."""
        return any(isinstance(scores, list) and len(scores) > 1 for scores in self.scores)


def _side(source: Source, name: str, texts: dict[str, str], score_column: str | None, scores: list[Any]) -> _Side:
    column = texts.get(name)
    raw = [] if column is None else source.sheet.frame[column].to_list()
    return _Side(name, column, raw, [value_in(cell) for cell in raw], score_column, scores)


def _by_key(values: dict[str | None, _Values]) -> dict[str | None, _Values]:
    """Scores that are objects (`{"helpful": 0.3, "safe": 0.9}`) as a scorer for each key."""
    if set(values) != {None}:
        return values
    objects = [[value_in(cell[0]) if len(cell) == 1 else cell for cell in side] for side in values[None].scores]
    if not all(cell is None or isinstance(cell, dict) for side in objects for cell in side):
        return values
    keys = dict.fromkeys(key for side in objects for cell in side if cell for key in cell)
    return {
        key: _Values(values[None].columns, [[[(cell or {}).get(key)] for cell in side] for side in objects])
        for key in keys
    } or values


class _Values(NamedTuple):
    """Columns and scores of the chosen and of the rejected side."""

    columns: list[str]
    scores: list[list[Any]]


def _read(source: Source, texts: dict[str, str], values: dict[str | None, _Values]) -> Part:
    given = [cell for both in values.values() for side in both.scores for cell in side]
    if values and "results" in source.columns and not _any(given):
        raise no_scores(source, "results")
    values = _by_key(values)
    rewardbench = {"text_chosen", "scores_chosen"} & source.columns
    ids = item_ids(source, _IDS, with_subset=True if rewardbench and "prompt_id" not in source.columns else None)
    items = Items(source, ids or places(source), prompts_of(source))
    models = source.models(("reward_model", "model")).to_list() if None in values else []
    for scorer, both in (values or {None: _Values([], [[], []])}).items():
        sides = [
            _side(source, name, texts, both.columns[place] if values else None, both.scores[place])
            for place, name in enumerate(_SIDES)
        ]
        for row in range(source.sheet.frame.height):
            responses: dict[str, list[Any]] = {"response_id": [], "response": [], "score": [], "label": []}
            for side in sides:
                scores = None if side.score_column is None else _scores_of(source, row, side)
                cell_texts = _texts_of(source, row, side, scores)
                several = len(cell_texts) > 1
                for number, text in enumerate(cell_texts):
                    prompt, response = cells.conversation(text)
                    items.prompts[row] = prompt if items.prompts[row] is None else items.prompts[row]
                    responses["response_id"].append(f"{side.name}-{number + 1}" if several else side.name)
                    responses["response"].append(response)
                    responses["score"].append(scores[number] if scores and len(scores) > number else None)
                    responses["label"].append(1.0 if side.name == "chosen" else 0.0)
            model = None if not values else models[row] if scorer is None else scorer
            items.add(row, model, **responses)
    scored = [name for both in values.values() for name in both.columns]
    used = (*texts.values(), *scored, source.column(_IDS), "reward_model", "model", *KNOWN)
    notes = source.left_out(used, "chosen and rejected responses")
    return Part(items.pieces(preferences=True), "places" if ids is None else "items", notes, keyed=None not in values)


def no_scores(source: Source, column: str) -> Exception:
    """The error for a judge that only says which response is better."""
    return invalid(
        f"{source.sheet.name}, column {column}: results without scores; a measure needs the score of each response: "
        "have the judge rate every response by itself, or give a reward model's scores"
    )


def _scores(source: Source, side: str) -> dict[str, str]:
    """Columns of scores of one side by their word."""
    columns: dict[str, str] = {}
    for spelled in _SPELLED[side]:
        for word in _SCORE_WORDS:
            for name in (f"{word}_{spelled}", f"{spelled}_{word}", f"{word}-{spelled}", f"{spelled}-{word}"):
                if name in source.columns:
                    columns.setdefault(word, name)
    return columns


def _named_scorers(source: Source) -> dict[str | None, dict[str, str]]:
    """Columns such as `rm-a_chosen` and `rm-a_rejected`: scorers named by their columns."""
    by_name: dict[str, dict[str, str]] = {}
    for name in source.sheet.frame.columns:
        match = _NAMED.match(name)
        if match is None:
            continue
        scorer = (match["before"] or match["after"]).lower()
        if is_metadata(scorer) or _NO_SCORER.search(scorer):
            continue
        side = "chosen" if "chosen" in name.replace(match["before"] or match["after"], "", 1) else "rejected"
        if _is_scores(source, name):
            by_name.setdefault(match["before"] or match["after"], {})[side] = name
    return {name: sides for name, sides in by_name.items() if len(sides) == 2}


def _is_scores(source: Source, column: str) -> bool:
    """Whether a column holds numbers: by its type, or, where a file has no types, by its first cell."""
    if source.sheet.frame[column].dtype.is_numeric():
        return True
    value = cells.first_value(source.sheet, column)
    if isinstance(value, str):
        return source.sheet.lines is not None and source.sheet.share_of_numbers(column) == 1
    return cells.is_score_list(value) and not any(isinstance(cell, str) for cell in value)


def _is_list_of_texts(source: Source, column: str) -> bool:
    return cells.is_text_list(cells.first_value(source.sheet, column))


def _any(lists: Sequence[Any]) -> bool:
    """Whether any score is given."""
    return any(value is not None for cell in lists for value in (cell if isinstance(cell, list) else [cell]))


def _scores_of(source: Source, row: int, side: _Side) -> list[float | None]:
    scores = []
    cell = side.scores[row]
    for value in cell if isinstance(cell, list) else [cell]:
        try:
            scores.append(cells.number(value, decimal_comma=source.sheet.decimal_comma))
        except ValueError:
            remedy = "wanted a number, or null for a missing score"
            raise source.sheet.wrong(row, str(side.score_column), value, remedy) from None
    return scores


def _texts_of(source: Source, row: int, side: _Side, scores: list[float | None] | None) -> list[Any]:
    """The texts of one side of an item, as many as its scores; a single score belongs to the whole cell."""
    if side.text_column is None:
        return [""] * len(scores or [])
    cell, value = side.raw[row], side.texts[row]
    if cell is None:
        raise source.sheet.wrong(row, side.text_column, cell, "every row needs one")
    listed = value if isinstance(value, list) and not cells.is_conversation(value) else None
    if scores is not None and len(scores) == 1 and not (scores == [None] and side.has_several):
        is_wrapped = listed is not None and len(listed) == 1 and cells.is_text_list(listed)
        return listed if listed is not None and is_wrapped else [value if cells.is_conversation(value) else cell]
    broken = listed is None and isinstance(cell, str) and cell.lstrip().startswith("[") and value is cell
    texts = [value] if listed is None else listed
    if not texts or (broken and (scores is None or len(scores) > 1)):
        remedy = "wanted a list with something in it, as JSON or Python writes it"
        raise source.sheet.wrong(row, side.text_column, cell, remedy)
    if scores is not None and len(scores) != len(texts) and scores != [None]:
        if len(texts) == 1:
            raise cells.several_scores(source.sheet, row, str(side.score_column), scores)
        remedy = f"wanted {len(texts)} scores, one for each of {side.text_column}"
        raise source.sheet.wrong(row, str(side.score_column), scores, remedy)
    return texts
