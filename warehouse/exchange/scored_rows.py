"""What is read from the files: scored rows in long form, preferences, policy values, outcomes; with file and row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

_TEXTS = ("prompt_id", "response_id", "reward_model", "category", "subset", "prompt", "response", "split")
_PREFERENCE = ("preference_id", "source", "split", "category", "prompt_id", "prompt", "chosen", "rejected")
_POLICY = ("policy_id", "optimizer", "reward_model", "golden", "prompt_id")


def _schema(*texts: str, **floats: pl.DataType) -> pl.Schema:
    return pl.Schema({"file": pl.UInt32(), "row": pl.UInt32(), **dict.fromkeys(texts, pl.String()), **floats})


LONG = _schema(*_TEXTS, score=pl.Float64(), label=pl.Float32())
"""A score of a response as it is in the file; a response that is only described has no `reward_model` and `score`.

A `reward_model` whose `score` is null or infinite has not scored the response. `label` is what the file says about the
response itself, 1 for a chosen and 0 for a rejected one; null: nothing.
"""

PAIRS = _schema("prompt_id", "chosen_id", "rejected_id")
"""Preferences between responses of the run, by id."""

PREFERENCES = _schema(*_PREFERENCE)
"""Preferences between texts."""

VALUES = _schema(*_POLICY, strength=pl.Float64(), kl=pl.Float64(), value=pl.Float64())
"""Values of policies."""

OUTCOMES = _schema("reward_model", "outcome", value=pl.Float64(), standard_error=pl.Float64())
"""Outcomes of reward models, measured elsewhere."""


@dataclass(frozen=True)
class Pieces:
    """Frames of the schemas above; `recognised` says in a line what each file was read as, `notes` what else to say."""

    long: pl.DataFrame = field(default_factory=LONG.to_frame)
    pairs: pl.DataFrame = field(default_factory=PAIRS.to_frame)
    preferences: pl.DataFrame = field(default_factory=PREFERENCES.to_frame)
    values: pl.DataFrame = field(default_factory=VALUES.to_frame)
    outcomes: pl.DataFrame = field(default_factory=OUTCOMES.to_frame)
    recognised: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def joined(parts: Sequence[Pieces]) -> Pieces:
    """The pieces of several files, in their order; what was said about them is left out."""
    frames = ("long", "pairs", "preferences", "values", "outcomes")
    return Pieces(*(pl.concat([getattr(part, name) for part in (Pieces(), *parts)]) for name in frames))


def of_columns(columns: Mapping[str, pl.Series], number: int, schema: pl.Schema) -> pl.DataFrame:
    """A frame of one of the schemas from whole columns of file `number`; absent ones are null, rows are counted."""
    frame = pl.DataFrame({name: values.rename(name) for name, values in columns.items()}).with_row_index("row")
    absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
    return frame.with_columns(absent).with_columns(file=pl.lit(number)).select(schema.names()).cast(schema)


def of_rows(rows: list[dict[str, Any]], number: int, schema: pl.Schema) -> pl.DataFrame:
    """A frame of one of the schemas from rows of file `number` that have `row`; what they lack is null."""
    return pl.DataFrame(rows, schema=schema).with_columns(file=pl.lit(number, pl.UInt32()))
