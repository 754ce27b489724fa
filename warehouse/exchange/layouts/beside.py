"""What comes beside scores: preferences between texts, values of policies, and outcomes."""

from __future__ import annotations

import polars as pl

from warehouse.exchange import outcomes
from warehouse.exchange.layouts import cells
from warehouse.exchange.layouts.pairs import no_scores
from warehouse.exchange.layouts.source import Part, Source
from warehouse.exchange.scored_rows import PREFERENCES, VALUES, Pieces, of_columns
from warehouse.exchange.sheet import invalid
from warehouse.schema import BY_WEIGHTING, RL_ALGORITHMS

_PREFERENCE = ("preference_id", "source", "split", "category", "prompt_id")
_VALUE = ("optimizer", "strength", "reward_model", "golden", "prompt_id", "value")


def takes_preferences(source: Source) -> bool:
    """Whether each row is a chosen and a rejected text."""
    return {"chosen", "rejected"} <= source.columns


def read_preferences(source: Source) -> Part:
    """Preferences of texts or messages. Raises InvalidRows for the results of a judge."""
    sheet = source.sheet
    if "results" in source.columns:
        raise no_scores(source, "results")
    columns = {name: sheet.labels(name) for name in ("prompt", *_PREFERENCE)}
    prompts = cells.prompts(sheet, "prompt").to_list() if "prompt" in source.columns else None
    sides: dict[str, list[str | None]] = {}
    before: list[str | None] = [None] * sheet.frame.height
    for side in ("chosen", "rejected"):
        turns = [cells.conversation(cell) for cell in sheet.frame[side].to_list()]
        sides[side] = [turn.response for turn in turns]
        empty = next((row for row, text in enumerate(sides[side]) if not text), None)
        if empty is not None:
            raise sheet.wrong(empty, side, sides[side][empty], "every row needs one")
        before = [first or turn.prompt for first, turn in zip(before, turns, strict=True)]
    given = prompts or [None] * sheet.frame.height
    columns["prompt"] = pl.Series([text or first for text, first in zip(given, before, strict=True)], dtype=pl.String())
    if "prompt_id" not in source.columns and columns["prompt"].null_count() == sheet.frame.height:
        raise invalid(f"{sheet.name}, row 1: preferences without prompts; add column prompt or prompt_id")
    columns |= {side: pl.Series(texts, dtype=pl.String()) for side, texts in sides.items()}
    _check_allowed(source, columns["split"], ("train", "validation"))
    used = ("chosen", "rejected", "prompt", *_PREFERENCE)
    return Part(
        Pieces(preferences=of_columns(columns, source.number, PREFERENCES)), notes=source.left_out(used, "preferences")
    )


def takes_values(source: Source) -> bool:
    """Whether each row is a policy's value on a prompt."""
    columns = source.columns
    return {"value", "golden"} <= columns or ({"value", "optimizer"} <= columns and "score" not in columns)


def read_values(source: Source) -> Part:
    """Values of policies."""
    sheet = source.sheet
    sheet.require(_VALUE, ("policy_id", "kl"), "policy values")
    columns = {name: sheet.ids(name) for name in ("optimizer", "golden", "prompt_id")}
    _check_allowed(source, columns["optimizer"], (*BY_WEIGHTING, *RL_ALGORITHMS, "none"))
    columns |= {name: sheet.labels(name) for name in ("policy_id", "reward_model")} | {"value": sheet.numbers("value")}
    columns |= {name: sheet.numbers(name, optional=True) for name in ("strength", "kl")}
    initial = columns["optimizer"] == "none"
    for name in ("strength", "reward_model"):
        absent = (columns[name].is_null() & ~initial).arg_true()
        if len(absent):
            remedy = "every policy but the initial one (optimizer none) needs it"
            raise sheet.wrong(absent[0], name, got=None, remedy=remedy)
        columns[name] = columns[name].set(initial, None)
    return Part(Pieces(values=of_columns(columns, source.number, VALUES)))


def takes_outcomes(source: Source) -> bool:
    """Whether each row is an outcome of a reward model."""
    return outcomes.takes_outcomes(source.sheet)


def read_outcomes(source: Source) -> Part:
    """Outcomes of reward models, measured elsewhere."""
    pieces = outcomes.read_outcomes(source.sheet, source.number)
    return Part(pieces, notes=source.left_out(outcomes.COLUMNS, "outcomes"))


def _check_allowed(source: Source, values: pl.Series, allowed: tuple[str, ...]) -> None:
    wrong = (~values.is_in(allowed)).fill_null(False).arg_true()
    if len(wrong):
        raise source.sheet.wrong(wrong[0], values.name, values[wrong[0]], f"wanted one of {list(allowed)}")
