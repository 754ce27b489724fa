"""What the files are taken apart into: scored rows in long form, preferences, policy values; each with file and row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

_PLACE = {"file": pl.UInt32(), "row": pl.UInt32()}
_TEXTS = ("prompt_id", "response_id", "reward_model", "category", "subset", "prompt", "response", "split")

LONG = pl.Schema({**_PLACE, **dict.fromkeys(_TEXTS, pl.String()), "score": pl.Float32()})
"""A score of a response; with `reward_model` and `score` null a response that is only described."""

PAIRS = pl.Schema({**_PLACE, **dict.fromkeys(("prompt_id", "chosen_id", "rejected_id"), pl.String())})
"""Preferences between responses of the run, by id."""

_PREFERENCE = ("preference_id", "source", "split", "category", "prompt_id", "prompt", "chosen", "rejected")
PREFERENCES = pl.Schema({**_PLACE, **dict.fromkeys(_PREFERENCE, pl.String())})
"""Preferences between texts."""

VALUES = pl.Schema(
    {
        **_PLACE,
        **dict.fromkeys(("policy_id", "optimizer", "reward_model", "golden", "prompt_id"), pl.String()),
        **dict.fromkeys(("strength", "kl", "value"), pl.Float64()),
    }
)
"""Values of policies."""


@dataclass(frozen=True)
class Pieces:
    """Frames of the schemas above."""

    long: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LONG))
    pairs: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PAIRS))
    preferences: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PREFERENCES))
    values: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=VALUES))


def joined(parts: Sequence[Pieces]) -> Pieces:
    """The pieces of several files, in their order."""
    return Pieces(
        pl.concat([part.long for part in parts]),
        pl.concat([part.pairs for part in parts]),
        pl.concat([part.preferences for part in parts]),
        pl.concat([part.values for part in parts]),
    )


def long_rows(rows: list[dict[str, Any]], number: int) -> pl.DataFrame:
    """`LONG` from dictionaries that have `row`, for file `number`; what they lack is null."""
    return _rows(rows, number, LONG)


def pair_rows(rows: list[dict[str, Any]], number: int) -> pl.DataFrame:
    """`PAIRS` from dictionaries that have `row`, for file `number`."""
    return _rows(rows, number, PAIRS)


def of_columns(columns: dict[str, pl.Series], number: int, schema: pl.Schema) -> pl.DataFrame:
    """A frame of one of the schemas from whole columns; what they lack is null, rows are counted."""
    frame = pl.DataFrame({name: values.rename(name) for name, values in columns.items()}).with_row_index("row")
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
    return frame.with_columns(lacking).with_columns(file=pl.lit(number)).select(schema.names()).cast(schema)


def _rows(rows: list[dict[str, Any]], number: int, schema: pl.Schema) -> pl.DataFrame:
    given = [row | {"file": number} for row in rows]
    return pl.DataFrame({name: [row.get(name) for row in given] for name in schema}, schema=dict(schema), strict=True)
