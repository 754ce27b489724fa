"""Single-answer judgments of FastChat's MT-Bench: a judge's score of a model's answer to a turn of a question.

`question_id, model, judge, score, turn`: `judge` is a reward model, `model` wrote the answer. Each turn is a prompt of
its own. FastChat writes −1 for a judgment that it could not read: a missing score.
"""

from __future__ import annotations

import polars as pl

from warehouse.exchange.layouts import cells
from warehouse.exchange.layouts.source import DESCRIBED, Part, Source
from warehouse.exchange.scored_rows import LONG, Pieces, of_columns
from warehouse.formats import count

_USED = ("question_id", "model", "judge", "score", "turn")
UNREAD = -1


def takes(source: Source) -> bool:
    """Whether the file has FastChat's columns."""
    return {"question_id", "model", "judge", "score"} <= source.columns and not {"response_id"} & source.columns


def read(source: Source) -> Part:
    """Long rows of judgments."""
    sheet = source.sheet
    prompts = sheet.ids("question_id")
    turns = sheet.ids("turn") if "turn" in source.columns else None
    if turns is not None and turns.n_unique() > 1:
        prompts = pl.select(pl.format("{}/turn-{}", prompts, turns)).to_series()
    judges = [value[0] if isinstance(value, list) and value else value for value in cells.plain(sheet, "judge")]
    wrong = next((row for row, judge in enumerate(judges) if not isinstance(judge, str) or not judge), None)
    if wrong is not None:
        raise sheet.wrong(wrong, "judge", judges[wrong], "wanted a name, or a list that begins with it")
    scores = cells.scores(sheet, "score")
    unread = int((scores == UNREAD).sum())
    columns = {
        "prompt_id": prompts,
        "response_id": sheet.ids("model"),
        "reward_model": pl.Series(judges, dtype=pl.String()),
        "score": scores.set(scores == UNREAD, None),
    } | source.labels()
    notes = source.left_out([*_USED, *DESCRIBED], "single-answer judgments")
    if unread:
        notes = (
            f"{sheet.name}: {count(unread, 'judgment')} of score {UNREAD}, which FastChat could not read: missing",
            *notes,
        )
    return Part(Pieces(of_columns(columns, source.number, LONG)), notes=notes)
