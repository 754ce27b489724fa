"""Two responses A and B of a prompt, a score of each, and which of them people preferred.

Human preferences of Preference Proxy Evaluations (`response_1, response_2, score_1, score_2, winner`), tables of
arenas, and JudgeBench (arXiv 2410.12784: `response_A, response_B, label`, `judgments[0].judgment.scores`). The winner
is labelled 1 and the other 0; both are ½ where it is a tie, which is no preference.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from warehouse.exchange.layouts import cells
from warehouse.exchange.layouts.items import Items, item_ids, places, prompts_of
from warehouse.exchange.layouts.pairs import no_scores
from warehouse.exchange.layouts.source import PROMPT_IDS, PROMPTS, Part, Source

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
_TIES = {"tie", "ties", "draw", "equal", "same", "both", "neither", "c", "bothbad", "none", "0.5", "both_bad"}


class _Columns(NamedTuple):
    """Columns of texts and scores of A and B, empty where there are none, how they end, and the winner's."""

    texts: tuple[str, ...]
    scores: tuple[str, ...]
    ends: tuple[str, str]
    winner: str | None


def takes(source: Source) -> bool:
    """Whether a row is two responses with a score of each, and a winner or two texts."""
    columns = _columns(source)
    return columns is not None and bool(columns.scores)


def takes_results(source: Source) -> bool:
    """Whether a row is two responses and a judge's decision, without scores."""
    columns = _columns(source)
    decided = source.column(("results", "decision", "judgment", "judgement", "judge", "judge_model", "judge_name"))
    return columns is not None and not columns.scores and decided is not None


def refuse(source: Source) -> Part:
    """Raises InvalidRows: there are no scores."""
    column = source.column(
        ("results", "decision", "judgment", "judgement", "winner", "judge", "judge_model", "judge_name")
    )
    raise no_scores(source, column or "results")


def takes_judgments(source: Source) -> bool:
    """Whether it is JudgeBench's output."""
    return "judgments" in source.columns and _columns(source) is not None


def read(source: Source) -> Part:
    """Long rows and preferences of pairs with a winner."""
    columns = _columns(source)
    assert columns is not None  # by `takes`
    scores = [cells.scores(source.sheet, name).to_list() for name in columns.scores]
    models = source.models(_MODELS).to_list()
    return _read(source, columns, models, [list(both) for both in zip(*scores, strict=True)])


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
    return _read(source, columns, models, scores)


def _read(source: Source, columns: _Columns, models: list[str], scores: list[list[float | None]]) -> Part:
    ids = item_ids(source, _IDS)
    items = Items(source, ids or places(source), prompts_of(source, source.column(PROMPTS)))
    texts = [source.sheet.frame[name].to_list() for name in columns.texts]
    winners = _winners(source, columns)
    for row, both in enumerate(scores):
        turns = [cells.conversation(side[row]) for side in texts] or [
            cells.Conversation(prompt=None, response=None)
        ] * 2
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
    return Part(items.pieces(preferences=True), "places" if ids is None else "items")


def _columns(source: Source) -> _Columns | None:
    """The columns of both sides; None if it is another form."""
    for ends in _ENDS:
        texts, scores = (
            next((both for word in words if (both := _both(source, word, ends))), ()) for words in (_TEXTS, _SCORES)
        )
        winner = source.column(_WINNERS)
        one_hot = _one_hot(source, ends)
        if texts or (scores and (winner or one_hot)):
            return _Columns(texts, scores, ends, winner)
    return None


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
    text = text.removesuffix(".0") if isinstance(value, float) else text
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
    last = re.split(r"[_\-]|(?<=[a-z])(?=\d)", compared)[-1]
    if last in (first, second):
        return float(last == first)
    words = {"a": 1.0, "b": 0.0, "first": 1.0, "second": 0.0, "left": 1.0, "right": 0.0, "x": 1.0, "y": 0.0}
    words |= {"1": 1.0, "2": 0.0} if columns.ends != ("0", "1") else {}
    if last in words:
        return words[last]
    named = _by_model(source, row, columns, text)
    if named is not None:
        return named
    remedy = f"wanted {columns.ends[0]}, {columns.ends[1]} or tie"
    raise source.sheet.wrong(row, str(columns.winner), value, remedy)


def _by_model(source: Source, row: int, columns: _Columns, text: str) -> float | None:
    """The winner by the name of the model that wrote the response, as arenas have it in `model_a` and `model_b`."""
    names = [source.column((f"model_{end}", f"generator_{end}")) for end in columns.ends]
    if None in names:
        return None
    given = [str(source.sheet.frame[name][row]).strip().lower() for name in names if name]
    return float(text == given[0]) if text in given and given[0] != given[1] else None
