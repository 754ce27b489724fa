"""The forms that files may have, in the order in which they are tried, and all files read by the first that fits.

Exact forms come before general ones: a file that several would take is what the first of them says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from warehouse.errors import InvalidChoice
from warehouse.exchange.layouts import beside, completions, judgments, lists, long, pairs, wide, winner
from warehouse.exchange.layouts.identify import identified
from warehouse.exchange.layouts.source import Part, Source, display_names, model_names
from warehouse.exchange.reading import ColumnMap, read_sheets
from warehouse.exchange.reading.limits import COMMAND_LINE, Limits
from warehouse.exchange.scored_rows import Pieces
from warehouse.exchange.sheet import Sheet, gathered, invalid


class Recogniser(NamedTuple):
    """A form of files: its layout, what it is in one line, whether it takes a file, and how it reads one."""

    layout: str
    says: str
    takes: Callable[[Source], bool]
    read: Callable[[Source], Part]


RECOGNISERS: tuple[Recogniser, ...] = (
    Recogniser("beside", "outcomes of reward models", beside.takes_outcomes, beside.read_outcomes),
    Recogniser("beside", "values of policies", beside.takes_values, beside.read_values),
    Recogniser("judgments", "single-answer judgments as FastChat writes them", judgments.takes, judgments.read),
    Recogniser("winner", "judgments of pairs as JudgeBench writes them", winner.takes_judgments, winner.read_judgments),
    Recogniser("object", "responses with objects of scores", wide.takes_objects, wide.read_objects),
    Recogniser("winner", "responses A and B with a score each", winner.takes, winner.read),
    Recogniser(
        "lists", "completions with scores, a row a prompt", completions.takes_completions, completions.read_completions
    ),
    Recogniser("lists", "lists of responses and scores, a row a prompt", lists.takes, lists.read),
    Recogniser("lists", "numbered scores, a row a prompt", completions.takes_numbered, completions.read_numbered),
    Recogniser("pairs", "chosen and rejected texts with both logits", pairs.takes_logits, pairs.read_logits),
    Recogniser("pairs", "chosen and rejected responses", pairs.takes, pairs.read),
    Recogniser("beside", "preferences", beside.takes_preferences, beside.read_preferences),
    Recogniser("winner", "results of a judge without scores", winner.takes_results, winner.refuse),
    Recogniser("beside", "preferences between A and B", winner.takes_preferences, winner.read_preferences),
    Recogniser("long", "scores in long form", long.takes, long.read),
    Recogniser("wide", "scores in wide form", wide.takes, wide.read),
)
"""Tried in this order."""

_ALIASES = {"rewardbench": "pairs", "rm-bench": "pairs"}
LAYOUTS = ("auto", "long", "wide", "object", "lists", "pairs", "rewardbench", "rm-bench", "winner", "judgments")
"""What the files with scores look like; `auto` decides by the columns."""


class Read(NamedTuple):
    """All files as sheets, and what is in them."""

    sheets: list[Sheet]
    pieces: Pieces


def read_files(
    files: Sequence[Path], layout: str = "auto", columns: ColumnMap | None = None, limits: Limits = COMMAND_LINE
) -> Read:
    """All files, with `columns` named as the user says, what is in them, and what each was read as.

    Raises InvalidRows for the first thing that is wrong, InvalidChoice for an unknown layout.
    """
    if layout not in LAYOUTS:
        raise InvalidChoice(f"layout is {layout!r}; choose one of {list(LAYOUTS)}")
    if not files:
        raise invalid("no files: give one with the columns prompt_id, response_id, reward_model, score")
    repeated = [path for path in files if list(files).count(path) > 1]
    if repeated:
        raise invalid(f"{repeated[0]}: given twice; give each file once")
    names, models = display_names(files), model_names(files)
    sheets = [_named(sheet, name) for sheet, name in zip(read_sheets(files, columns, limits), names, strict=True)]
    parts, lines = [], []
    for number, (sheet, model) in enumerate(zip(sheets, models, strict=True)):
        source = Source(sheet, number, model, columns or ColumnMap())
        recogniser = _recogniser(source, layout)
        parts.append(recogniser.read(source))
        lines.append(f"{sheet.name}: {recogniser.says}, {sheet.frame.height} rows")
    pieces = identified(parts, names, models)
    notes = [note for part in parts for note in part.notes]
    return Read(sheets, replace(pieces, recognised=tuple(lines), notes=(*gathered(notes), *pieces.notes)))


def _named(sheet: Sheet, name: str) -> Sheet:
    notes = tuple(note.replace(f"{sheet.name}: ", f"{name}: ", 1) for note in sheet.notes)
    return sheet if sheet.name == name else replace(sheet, name=name, notes=notes)


def _recogniser(source: Source, layout: str) -> Recogniser:
    """The first that takes the file; a layout narrows the choice for files with scores."""
    chosen = _ALIASES.get(layout, layout)
    of_layout = [form for form in RECOGNISERS if form.layout == chosen]
    if layout == "auto":
        of_layout = list(RECOGNISERS)
    else:
        described = "pairs" if not pairs.is_scored(source) else ""
        also = [form for form in RECOGNISERS if form.layout in ("beside", described) and form.layout != chosen]
        of_layout = [form for form in RECOGNISERS if form in of_layout + also]
        if chosen == "pairs":
            of_layout.remove(next(form for form in of_layout if form.read is beside.read_preferences))
    for form in of_layout:
        if form.takes(source):
            return form
    if layout != "auto":
        return [form for form in RECOGNISERS if form.layout == chosen][-1]  # which says what is missing
    raise invalid(
        f"{source.sheet.name}, row 1: no known form of scores: got columns {source.sheet.frame.columns}; scores have "
        "the columns prompt_id, response_id, reward_model, score; docs/formats.md shows all forms, and --map "
        "prompt_id=…,score=… says what columns of other names are"
    )
