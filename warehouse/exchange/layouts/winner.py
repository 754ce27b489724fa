"""Two responses A and B of a prompt, a score of each, and which of them people preferred.

Human preferences of Preference Proxy Evaluations (`response_1, response_2, score_1, score_2, winner`), tables of
arenas, and JudgeBench (arXiv 2410.12784: `response_A, response_B, label`, `judgments[0].judgment.scores`). The winner
is labelled 1 and the other 0; both are ½ where it is a tie, which is no preference.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import polars as pl

from warehouse.exchange.known_columns import is_metadata
from warehouse.exchange.layouts import cells
from warehouse.exchange.layouts.items import Items, item_ids, places, prompts_of
from warehouse.exchange.layouts.pairs import no_scores
from warehouse.exchange.layouts.source import KNOWN, PROMPT_IDS, PROMPTS, Part, Source
from warehouse.exchange.scored_rows import PREFERENCES, Pieces, of_columns
from warehouse.exchange.sheet import invalid
from warehouse.formats import count

_IDS = (*PROMPT_IDS, "pair_id", "id", "uid", "battle_id")
_MODELS = ("reward_model", "reward_model_name", "scorer", "rm", "judge_model")
_ENDS = (("a", "b"), ("A", "B"), ("1", "2"), ("0", "1"), ("one", "two"), ("left", "right"))
_TEXTS = ("response", "answer", "output", "completion", "text", "generation", "assistant", "conversation", "generator")
_SCORES = ("score", "scores", "reward", "rewards", "rating", "rm_score", "logit")
_WINNERS: tuple[str, ...] = (
    "winner",
    "label",
    "preference",
    "preferred",
    "human_preference",
    "choice",
    "better_response",
    "verdict",
)
_WINNERS += ("better_response_id", "chosen", "gold_label")
_PREFIX = re.compile(r"^(model|response|answer|assistant|output|option|candidate|completion|text|system|chatbot)")
_TIES = {"tie", "ties", "draw", "equal", "same", "both", "neither", "c", "bothbad", "none", "0.5", "both_bad"}


_DECIDED: tuple[str, ...] = (
    "results",
    "decision",
    "decisions",
    "verdict",
    "g1_winner",
    "judgment",
    "judgement",
    "annotator",
    "judge",
)
_DECIDED += ("judge_model", "judge_name")


_NO_TEXT = cells.Conversation(prompt=None, response=None)


class _Columns(NamedTuple):
    """Columns of texts of A and B, of their scores by scorer (None: the file's), how they end, and the winner's."""

    texts: tuple[str, ...]
    scores: dict[str | None, tuple[str, ...]]
    ends: tuple[str, str]
    winner: str | None


def takes(source: Source) -> bool:
    """Whether a row is two responses with a score of each, and a winner or two texts."""
    columns = _columns(source)
    return columns is not None and bool(columns.scores)


def takes_results(source: Source) -> bool:
    """Whether a judge says of two responses which is better, without scores."""
    columns = _columns(source)
    of_pairs = (
        columns is not None or {"text_chosen", "text_rejected"} <= source.columns or "g1_winner" in source.columns
    )
    return of_pairs and (columns is None or not columns.scores) and source.column(_DECIDED) is not None


def refuse(source: Source) -> Part:
    """Raises InvalidRows: there are no scores."""
    raise no_scores(source, str(source.column(_DECIDED)))


def takes_preferences(source: Source) -> bool:
    """Whether a row is two texts and which of them people preferred: preferences beside scores."""
    columns = _columns(source)
    return columns is not None and len(columns.texts) == 2 and bool(columns.winner or _one_hot(source, columns.ends))


def read_preferences(source: Source) -> Part:
    """Preferences of texts; ties and rows without a winner are left out, and counted."""
    columns = _columns(source)
    assert columns is not None  # by `takes_preferences`
    winners = _winners(source, columns)
    first, second = (cells.texts(source.sheet, name) for name in columns.texts)
    is_first = pl.Series([winner == 1 for winner in winners], dtype=pl.Boolean())
    decided = pl.Series([winner in (0, 1) for winner in winners], dtype=pl.Boolean())
    given = {
        "prompt_id": source.sheet.labels("prompt_id"),
        "prompt": cells.prompts(source.sheet, source.column(PROMPTS)),
        "chosen": first.zip_with(is_first, second),
        "rejected": second.zip_with(is_first, first),
    }
    if given["prompt_id"].null_count() == given["prompt"].null_count() == len(winners):
        raise invalid(f"{source.sheet.name}, row 1: preferences without prompts; add column prompt or prompt_id")
    rows = of_columns(given, source.number, PREFERENCES).filter(decided)
    ties = len(winners) - rows.height
    notes = (f"{source.sheet.name}: {count(ties, 'tie')} left out, no preference",) if ties else ()
    return Part(Pieces(preferences=rows), notes=notes)


def takes_judgments(source: Source) -> bool:
    """Whether it is JudgeBench's output."""
    return "judgments" in source.columns and _columns(source) is not None


def read(source: Source) -> Part:
    """Long rows and preferences of pairs with a winner."""
    columns = _columns(source)
    assert columns is not None  # by `takes`
    models = source.models(_MODELS).to_list() if None in columns.scores else []
    given = {}
    for scorer, names in columns.scores.items():
        both = zip(*(cells.scores(source.sheet, name).to_list() for name in names), strict=True)
        given[scorer] = _Scored(
            models if scorer is None else [scorer] * source.sheet.frame.height, list(map(list, both))
        )
    return _read(source, columns, list(given.values()), keyed=None not in given)


class _Scored(NamedTuple):
    """The reward model of each row, and its scores of A and B."""

    models: list[str]
    scores: list[list[float | None]]


def read_judgments(source: Source) -> Part:
    """Long rows of JudgeBench, whose first judgment has A before B. Raises InvalidRows if there are no scores."""
    columns = _columns(source)
    assert columns is not None  # by `takes_judgments`
    models: list[str] = []
    scores: list[list[float | None]] = []
    for row, value in enumerate(cells.plain(source.sheet, "judgments")):
        first = value[0] if isinstance(value, list) and value else value
        judgment = first.get("judgment") if isinstance(first, dict) else None
        both = judgment.get("scores") if isinstance(judgment, dict) else None
        if not isinstance(judgment, dict) or both is None:
            raise no_scores(source, "judgments")
        if not cells.is_score_list(both) or len(both) != 2:
            raise source.sheet.wrong(row, "judgments", both, "wanted two scores, of response A and of response B")
        models.append(str(judgment.get("judge_model") or source.model))
        scores.append([cells.number(score) for score in both])
    return _read(source, columns, [_Scored(models, scores)], subset_by_source=True)


def _read(
    source: Source,
    columns: _Columns,
    scored: list[_Scored],
    *,
    subset_by_source: bool = False,
    keyed: bool = False,
) -> Part:
    ids = item_ids(source, _IDS)
    items = Items(source, ids or places(source), prompts_of(source), subset_by_source)
    texts = [source.sheet.values(name) for name in columns.texts]
    winners = _winners(source, columns)
    for models, scores in scored:
        for row, both in enumerate(scores):
            turns = [cells.conversation(side[row]) for side in texts] or [_NO_TEXT, _NO_TEXT]
            items.prompts[row] = turns[0].prompt if items.prompts[row] is None else items.prompts[row]
            label = winners[row]
            items.add(
                row,
                models[row],
                response_id=["response-1", "response-2"],
                response=[turn.response for turn in turns],
                score=both,
                label=[None, None] if label is None else [label, 1 - label],
            )
    named = [source.column(_MODELS), source.column(_IDS), columns.winner, *(_one_hot(source, columns.ends) or ())]
    given = [name for names in columns.scores.values() for name in names]
    of_models = [f"model_{end}" for end in columns.ends]
    used = (*columns.texts, *given, *named, *of_models, "judgments", *KNOWN, *(["source"] if subset_by_source else []))
    notes = source.left_out(used, "responses A and B")
    return Part(items.pieces(preferences=True), "places" if ids is None else "items", notes, keyed=keyed)


def _columns(source: Source) -> _Columns | None:
    """The columns of both sides; None if it is another form, such as one of three responses and more."""
    for ends in _ENDS:
        third = {"1": "3", "0": "2"}.get(ends[0])
        if third and any(f"{word}_{third}" in source.columns for word in (*_TEXTS, *_SCORES)):
            continue
        texts = next((both for word in _TEXTS if (both := _both(source, word, ends))), ())
        of_file = next((both for word in _SCORES if (both := _both(source, word, ends))), ())
        scores: dict[str | None, tuple[str, ...]] = {None: of_file} if of_file else _named(source, ends)
        winner = source.column(_WINNERS)
        if texts or (scores and (winner or _one_hot(source, ends))):
            return _Columns(texts, scores, ends, winner)
    return None


def _named(source: Source, ends: tuple[str, str]) -> dict[str | None, tuple[str, ...]]:
    """Columns such as `rm-x_a` and `rm-x_b`: scorers named by their columns."""
    known = {*_TEXTS, "model", "winner_model", "winner", "system"}
    names = [name[: -len(ends[0]) - 1] for name in source.sheet.frame.columns if name.endswith(f"_{ends[0]}")]
    return {
        name: both
        for name in names
        if name not in known
        and not is_metadata(name)
        and (both := _both(source, name, ends))
        and all(_is_scores(source, side) for side in both)
    }


def _is_scores(source: Source, column: str) -> bool:
    value = cells.first_value(source.sheet, column)
    return cells.is_number(value) or cells.is_number(next(iter(value), None) if isinstance(value, list) else None)


def _both(source: Source, word: str, ends: tuple[str, str]) -> tuple[str, ...]:
    names = tuple(f"{word}_{end}" for end in ends)
    return names if set(names) <= source.columns else ()


def _one_hot(source: Source, ends: tuple[str, str]) -> tuple[str, str] | None:
    """The columns of an arena that are 1 for the winner: `winner_model_a`, `winner_model_b`."""
    names = (f"winner_model_{ends[0]}", f"winner_model_{ends[1]}")
    return names if set(names) <= source.columns else None


def _winners(source: Source, columns: _Columns) -> list[float | None]:
    """1 where the first response is better, 0 where the second is, ½ for a tie, None where nobody said."""
    sheet = source.sheet
    one_hot = _one_hot(source, columns.ends)
    if one_hot is not None:
        first, second = (cells.scores(sheet, name).to_list() for name in one_hot)
        return [0.5 if a == b else float((a or 0) > (b or 0)) for a, b in zip(first, second, strict=True)]
    if columns.winner is None:
        return [None] * sheet.frame.height
    return [_winner(source, row, columns, value) for row, value in enumerate(sheet.frame[columns.winner].to_list())]


def _winner(source: Source, row: int, columns: _Columns, value: Any) -> float | None:
    text = "" if value is None else str(value).strip().lower()
    text = re.sub(r"(?<=\d)\.0+$", "", text)
    if text in ("", "null", "nan"):
        return None
    compared = re.sub(r"[\s\[\]()]", "", text)
    order = re.fullmatch(r"(?:\w+_)?(\w+?)([<>=≈~]+)(?:\w+_)?(\w+)", compared)
    first, second = (end.lower() for end in columns.ends)
    if order and {order[1], order[3]} <= {first, second, "a", "b", "1", "2"}:
        if not set(order[2]) & {"<", ">"}:
            return 0.5
        is_first = order[1] in (first, "a", "1")
        return float(is_first == (">" in order[2]))
    if compared.startswith("tie") or compared.replace("-", "_") in _TIES:
        return 0.5
    last = _PREFIX.sub("", compared).strip("_-")
    if last in (first, second):
        return float(last == first)
    words = {"a": 1.0, "b": 0.0, "first": 1.0, "second": 0.0, "left": 1.0, "right": 0.0, "x": 1.0, "y": 0.0}
    words |= {"1": 1.0, "2": 0.0} if columns.ends != ("0", "1") else {}
    if last in words:
        return words[last]
    named = _by_model(source, row, columns, text)
    if named is not None:
        return named
    either = "it may mean the first or no preference; " if last == "0" else ""
    remedy = f"{either}wanted {columns.ends[0]}, {columns.ends[1]} or tie"
    raise source.sheet.wrong(row, str(columns.winner), value, remedy)


def _by_model(source: Source, row: int, columns: _Columns, text: str) -> float | None:
    """The winner by the name of the model that wrote the response, as arenas have it in `model_a` and `model_b`."""
    names = [source.column((f"model_{end}", f"generator_{end}")) for end in columns.ends]
    if None in names:
        return None
    given = [str(source.sheet.frame[name][row]).strip().lower() for name in names if name]
    return float(text == given[0]) if text in given and given[0] != given[1] else None
