"""Scores in long form: a score per row, with ids of prompt and response or their texts alone.

The product's own form, what pandas users write, and OpenRLHF's `batch_inference` (`input, output, reward`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from warehouse.exchange.layouts import cells
from warehouse.exchange.layouts.source import (
    DESCRIBED,
    LABELS,
    MODELS,
    PROMPT_IDS,
    PROMPTS,
    RESPONSE_IDS,
    RESPONSES,
    SCORES,
    Part,
    Source,
)
from warehouse.exchange.numbers import holds_objects
from warehouse.exchange.scored_rows import LONG, Pieces, of_columns
from warehouse.exchange.sheet import invalid, value_in

CONVERSATIONS = ("messages", "conversation", "conversations", "chat")
_CANONICAL = ("prompt_id", "response_id", "reward_model", "score")


def takes(source: Source) -> bool:
    """Whether a row is one score of one response."""
    if not source.columns & {"reward_model", "score"}:
        return source.column(SCORES) is not None and is_told(source)
    return True


def is_told(source: Source) -> bool:
    """Whether prompts and responses have ids or texts."""
    return not _missing_ids(source)


def _missing_ids(source: Source) -> list[str]:
    """Which of prompt and response have neither an id nor a text."""
    if source.column(CONVERSATIONS):
        return []
    prompt = source.column((*PROMPT_IDS, *PROMPTS, "id"))
    response = source.column(RESPONSE_IDS + RESPONSES)
    return [name for name, column in (("prompt_id", prompt), ("response_id", response)) if column is None]


def read(source: Source) -> Part:
    """Long rows; without ids, prompts and responses are told by their texts."""
    score, model = source.column(SCORES), _model(source)
    missing = [*_missing_ids(source), *(["score"] if score is None else [])]
    if missing or score is None:
        raise invalid(
            f"{source.sheet.name}, row 1: wrong columns for scores in long form: missing {missing}, got "
            f"{source.sheet.frame.columns}; it has to have {list(_CANONICAL)}, or prompt and response instead of ids"
        )
    columns, used = identified(source)
    columns["reward_model"] = source.models((model,) if model else ())
    columns["score"] = cells.scores(source.sheet, score)
    labels = label_column(source)
    if labels is not None:
        columns["label"] = labels
    notes: tuple[str, ...] = (
        (f"{source.sheet.name}: column {labels.name} read as labels of the responses",) if labels is not None else ()
    )
    notes += source.left_out([*used, score, model, *([] if labels is None else [labels.name])], "scores in long form")
    return Part(Pieces(of_columns(columns, source.number, LONG)), identity_of(columns), notes)


def identified(source: Source) -> tuple[dict[str, pl.Series], list[str]]:
    """Ids, texts and descriptions of the rows by `LONG`'s names, and the columns that they are from."""
    columns: dict[str, pl.Series] = {}
    prompt_id, response_id = source.column(PROMPT_IDS), source.column(RESPONSE_IDS)
    prompt, response, turns = source.column(PROMPTS), source.column(RESPONSES), source.column(CONVERSATIONS)
    if prompt_id is None and prompt is None and turns is None:
        prompt_id = source.column(("id",))
    for name, column in (("prompt_id", prompt_id), ("response_id", response_id)):
        if column is not None:
            columns[name] = source.sheet.ids(column)
    if turns is not None and (prompt is None or response is None):
        conversations = [cells.conversation(value_in(cell)) for cell in source.sheet.values(turns)]
        columns["prompt"] = pl.Series([turn.prompt for turn in conversations], dtype=pl.String())
        columns["response"] = pl.Series([turn.response for turn in conversations], dtype=pl.String())
    for name, column in (("prompt", prompt), ("response", response)):
        if column is not None:
            read = cells.prompts if name == "prompt" else cells.texts
            columns[name] = read(source.sheet, column)
        if name in columns:
            if name == "prompt":  # an empty response is one
                columns[name] = columns[name].set(columns[name] == "", None)
            if f"{name}_id" not in columns and columns[name].null_count():
                row, origin = columns[name].is_null().arg_true()[0], column or turns or name
                got = source.sheet.values(origin)[row]
                raise source.sheet.wrong(row, origin, got, f"without ids every row needs a {name}")
    used = [column for column in (prompt_id, response_id, prompt, response, turns) if column is not None]
    used += [cells.INPUT] if prompt is not None and cells.has_input(source.sheet, prompt) else []
    return columns | source.labels(), [*used, *DESCRIBED]


def identity_of(columns: dict[str, pl.Series]) -> str:
    """How the prompts and responses of these columns are told."""
    return "ids" if {"prompt_id", "response_id"} <= set(columns) else "texts"


def label_column(source: Source, names: Sequence[str] = LABELS) -> pl.Series | None:
    """What the file says about each response itself; None if there is no such column, or it holds no numbers."""
    column = source.column(names)
    if column is None:
        return None
    values = source.sheet.frame[column]
    if values.dtype == pl.Boolean():
        return values.cast(pl.Float32())
    if values.dtype == pl.String():
        low = values.str.strip_chars().str.to_lowercase()
        values = low.replace({word: str(value) for word, value in cells.LABEL_WORDS.items()} | {"": None})
        if values.cast(pl.Float64(), strict=False).null_count() > values.null_count():
            return None
    if not (values.dtype.is_numeric() or values.dtype == pl.String()):
        return None
    numbers = values.cast(pl.Float32(), strict=False).fill_nan(None)
    return None if numbers.null_count() == len(numbers) else numbers.rename(column)


def _model(source: Source) -> str | None:
    """The column that names reward models; `model` is one if nothing else is and each response has several of them."""
    column = source.column(MODELS)
    if column is not None or "model" not in source.columns:
        return column
    frame = source.sheet.frame
    prompt = source.column(PROMPT_IDS) or source.column(PROMPTS)
    names = [name for name in (prompt, source.column(RESPONSE_IDS) or source.column(RESPONSES), "model") if name]
    if any(holds_objects(frame[name]) for name in names):
        return None
    keys = frame.select(pl.col(name).cast(pl.String(), strict=False) for name in names if name != "model")
    repeats = keys.n_unique() < keys.height
    return "model" if repeats or frame["model"].n_unique() == 1 else None
