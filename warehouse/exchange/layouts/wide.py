"""Scores in wide form, a column per reward model, and objects of scores: `{"rm-a": 0.1, "rm-b": 0.4}` per response."""

from __future__ import annotations

import polars as pl

from warehouse.exchange.known_columns import is_metadata
from warehouse.exchange.layouts import cells
from warehouse.exchange.layouts.long import identified, identity_of, is_told, label_column
from warehouse.exchange.layouts.source import LABELS, MODELS, Part, Source
from warehouse.exchange.numbers import is_missing
from warehouse.exchange.scored_rows import LONG, Pieces, of_columns
from warehouse.exchange.sheet import invalid

_OBJECTS = ("scores", "rewards", "score", "reward", "ratings")


def takes_objects(source: Source) -> bool:
    """Whether a row is a response with an object of scores."""
    column = source.column(_OBJECTS)
    value = None if column is None else cells.first_value(source.sheet, column)
    return isinstance(value, dict) and is_told(source) and any(cells.is_number(score) for score in value.values())


def read_objects(source: Source) -> Part:
    """Long rows of objects of scores: each key is a scorer; a key that a response lacks is a missing score."""
    column = source.column(_OBJECTS)
    assert column is not None  # by `takes_objects`
    objects = cells.plain(source.sheet, column)
    for row, value in enumerate(objects):
        if not isinstance(value, dict | None):
            raise source.sheet.wrong(row, column, value, "wanted an object with a score for each reward model")
    names = dict.fromkeys(name for value in objects if value for name in value)
    given: dict[str, pl.Series] = {}
    for name in names:
        scores: list[float | None] = []
        for row, value in enumerate(objects):
            try:
                scores.append(cells.number((value or {}).get(name)))
            except ValueError:
                got = value[name]
                remedy = "wanted a number, or null for a missing score"
                raise source.sheet.wrong(row, f"{column}.{name}", got, remedy) from None
        given[name] = pl.Series(scores, dtype=pl.Float64())
    return _part(source, given, [column], "responses with objects of scores")


def takes(source: Source) -> bool:
    """Whether a row is a response with a column of scores for each reward model."""
    return is_told(source) and not source.columns & {"reward_model", "score"} and bool(_scorers(source))


def read(source: Source) -> Part:
    """Long rows of a file in wide form; columns that are no scores are left out, and said."""
    scorers = _scorers(source)
    missing = [name for name in ("prompt_id", "response_id") if name not in source.columns]
    if not is_told(source):
        raise invalid(
            f"{source.sheet.name}, row 1: wrong columns for scores in wide form: missing {missing}, got "
            f"{source.sheet.frame.columns}; it has to have prompt_id and response_id, or prompt and response"
        )
    if not scorers:
        got = source.sheet.frame.columns
        raise invalid(f"{source.sheet.name}, row 1: got columns {got}; wanted one more for each reward model")
    given = {name: cells.scores(source.sheet, name) for name in scorers}
    return _part(source, given, scorers, "scores in wide form")


def _part(source: Source, scores: dict[str, pl.Series], used: list[str], kind: str) -> Part:
    columns, described = identified(source)
    labels = label_column(source)
    notes: tuple[str, ...] = ()
    if labels is not None and labels.name not in used:
        columns["label"] = labels
        used = [*used, labels.name]
        notes = (f"{source.sheet.name}: column {labels.name} read as labels of the responses",)
    frames = [
        of_columns(columns | {"score": values}, source.number, LONG).with_columns(reward_model=pl.lit(name))
        for name, values in scores.items()
    ]
    notes += source.left_out([*described, *used], kind)
    return Part(Pieces(pl.concat(frames)), identity_of(columns), notes, keyed=True)


def _scorers(source: Source) -> list[str]:
    """Columns of numbers that nothing else explains."""
    _, described = identified(source) if is_told(source) else ({}, [])
    names = [name for name in source.sheet.frame.columns if name not in described]
    chosen = [name for name in names if name in source.given.scorers]
    if source.given.only:
        return chosen
    named = {*LABELS, *MODELS}
    others = [name for name in names if name not in named and not is_metadata(name) and _holds_scores(source, name)]
    return [name for name in names if name in {*chosen, *others}]


def _holds_scores(source: Source, column: str) -> bool:
    """Whether a column is of numbers: a text among numbers is a mistake, a number among texts a text.

    Columns that are true or false, or empty throughout, may be anything: the user has to call them scorers.
    """
    values = source.sheet.frame[column]
    is_unclear = values.dtype == pl.Boolean() or bool(is_missing(values).all())
    return not is_unclear and source.sheet.share_of_numbers(column) >= 0.5
