"""The responses of files that a reward model scores: any form of scores that `import` reads, or texts alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.errors import InvalidDataSet
from pipeline.scoring.texts import Text
from warehouse import exchange, formats
from warehouse.errors import InvalidRows
from warehouse.exchange.reading import read_sheet
from warehouse.exchange.scored_rows import Pieces

_DESCRIBED = ("category", "subset", "split")
_MOST_NAMED = 3
IDS = ("prompt_id", "response_id")


@dataclass(frozen=True)
class Responses:
    """Responses with text: columns `prompt_id, response_id, prompt, response, category, subset, split`.

    `without_text` has the ids of those that cannot be scored, `scorers` the reward models that scored some already.
    """

    rows: pl.DataFrame
    without_text: pl.DataFrame
    scorers: frozenset[str]

    @property
    def texts(self) -> list[Text]:
        """The distinct texts."""
        return list(dict.fromkeys(self.rows.select("prompt", "response").iter_rows()))

    @property
    def counted(self) -> str:
        """`1,200 responses to 300 prompts, 1,150 distinct texts of 410,000 characters`."""
        return counted(self.rows, self.texts)

    @property
    def notes(self) -> list[str]:
        """What is left out and what is empty, in a line each."""
        empty = self.rows.filter(pl.col("response").str.strip_chars() == "")
        notes = []
        if self.without_text.height:
            notes.append(f"{named(self.without_text)} no text of prompt or response: not scored")
        if empty.height:
            notes.append(f"{named(empty)} an empty response: scored as it is")
        return notes


def of_files(files: Sequence[Path]) -> Responses:
    """The responses of files. Raises InvalidRows for files that `import` does not read and that are not texts alone."""
    try:
        _, pieces = exchange.read_files(files)[:2]
    except InvalidRows:
        texts = _texts_alone(files)
        if texts is None:
            raise
        return _responses(texts, scorers=())
    long = _of_pairs(pieces) if pieces.long.is_empty() else pieces.long
    scorers = long["reward_model"].drop_nulls().unique() if "reward_model" in long.columns else ()
    return _responses(long, scorers=list(scorers))


def counted(rows: pl.DataFrame, texts: Sequence[Text]) -> str:
    """How many responses, prompts, distinct texts and characters there are to score."""
    prompts = rows["prompt"].n_unique()
    characters = sum(len(prompt) + len(response) for prompt, response in texts)
    parts = (formats.count(rows.height, "response"), formats.count(prompts, "prompt"))
    return f"{' to '.join(parts)}, {formats.count(len(texts), 'distinct text')} of {characters:,} characters"


def named(rows: pl.DataFrame) -> str:
    """How many responses these are, and the first of them: `2 responses (p1/r1, p1/r2) have`."""
    ids = [f"{prompt}/{response}" for prompt, response in rows.select(IDS).head(_MOST_NAMED).iter_rows()]
    more = ", …" if rows.height > _MOST_NAMED else ""
    responses = "1 response" if rows.height == 1 else f"{rows.height:,} responses"
    return f"{responses} ({', '.join(ids)}{more}) {'has' if rows.height == 1 else 'have'}"


def _responses(long: pl.DataFrame, scorers: Sequence[str]) -> Responses:
    missing = [name for name in ("prompt", "response", *_DESCRIBED) if name not in long.columns]
    long = long.with_columns(pl.lit(None, dtype=pl.String()).alias(name) for name in missing)

    def first(name: str) -> pl.Expr:
        return pl.col(name).drop_nulls().first()

    prompts = long.group_by("prompt_id", maintain_order=True).agg(*(first(name) for name in ("prompt", *_DESCRIBED)))
    each = long.group_by(IDS, maintain_order=True).agg(first("response"))
    rows = each.join(prompts, on="prompt_id", how="left", maintain_order="left")
    has_text = pl.col("response").is_not_null() & (pl.col("prompt").fill_null("").str.strip_chars() != "")
    scored = rows.filter(has_text).select(*IDS, "prompt", "response", *_DESCRIBED)
    if scored.is_empty():
        raise InvalidDataSet(
            "no response has a text with its prompt, so there is nothing to score; give the columns prompt and response"
        )
    return Responses(scored, rows.filter(~has_text), frozenset(scorers))


def _of_pairs(pieces: Pieces) -> pl.DataFrame:
    """Preferences between texts as prompts with two responses, `chosen` and `rejected`."""
    pairs = pieces.preferences.with_row_index("pair", offset=1)
    number = pl.format("pair-{}", pl.col("pair").cast(pl.String()).str.zfill(6))
    ids = pl.coalesce("preference_id", number).alias("prompt_id")
    sides = [
        pairs.select("pair", ids, "prompt", "category", pl.lit(side).alias("response_id"), response=side)
        for side in ("chosen", "rejected")
    ]
    return pl.concat(sides).sort("pair", maintain_order=True)


def _texts_alone(files: Sequence[Path]) -> pl.DataFrame | None:
    """Rows with `prompt` and `response`, or a list `responses`, with or without ids; None if a file has neither."""
    frames = []
    for path in files:
        frame = read_sheet(path).frame
        lists = frame["responses"].to_list() if "responses" in frame.columns else []
        if lists and all(isinstance(cell, list) and all(isinstance(text, str) for text in cell) for cell in lists):
            frame = frame.with_columns(response=pl.Series(lists, dtype=pl.List(pl.String()))).explode("response")
        if not {"prompt", "response"} <= set(frame.columns):
            return None
        known = [name for name in (*IDS, "prompt", "response", *_DESCRIBED) if name in frame.columns]
        frames.append(frame.select(pl.col(name).cast(pl.String()) for name in known))
    long = pl.concat(frames, how="diagonal")
    if "prompt_id" not in long.columns:
        number = pl.col("prompt").rank("dense").cast(pl.String()).str.zfill(6)
        long = long.with_columns(prompt_id=pl.format("prompt-{}", number))
    if "response_id" not in long.columns:
        number = (pl.int_range(pl.len()).over("prompt_id") + 1).cast(pl.String())
        long = long.with_columns(response_id=pl.format("response-{}", number))
    return long
