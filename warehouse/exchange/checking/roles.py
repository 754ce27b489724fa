"""What each scorer is: golden and proxy, the truth only, or a proxy only; and labels as a scorer.

A benchmark's labels become the scorer `label`, golden only: 1 for a chosen response, 0 for a rejected one. They are
said by a file, or follow from its preferences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from warehouse.errors import UnknownName
from warehouse.exchange.sheet import Sheet, at_row, invalid, shown
from warehouse.formats import count, listed
from warehouse.schema import LABEL

_RESPONSE = ("prompt_id", "response_id")
_KIND_BY_NAME: Mapping[str, re.Pattern[str]] = {
    "grade": re.compile(r"human|annotator", re.IGNORECASE),
    "verifier": re.compile(r"verifi", re.IGNORECASE),
}
"""Kinds of goldens that are no reward models, by what their names or the names of their files say."""

_LEAST_SHARE = 0.5
"""Least share of the responses that preferences have to order, for labels to follow from them."""


class Labels(NamedTuple):
    """Rows of `LONG` by reward model `label`, and a line on their source or why there are none; may be empty."""

    rows: pl.DataFrame
    line: str


def labels(sheets: Sequence[Sheet], long: pl.DataFrame, pairs: pl.DataFrame) -> Labels:
    """The labels of responses as scores. Raises InvalidRows if files contradict one another about a response."""
    said = long.filter(pl.col("label").is_not_null())
    if said.height:
        first = said.unique(_RESPONSE, keep="first", maintain_order=True)
        other = said.join(first.select(*_RESPONSE, first="label"), on=_RESPONSE).filter(
            pl.col("label") != pl.col("first")
        )
        if other.height:
            entry = other.row(0, named=True)
            same = first.filter(prompt_id=entry["prompt_id"], response_id=entry["response_id"])
            raise invalid(
                f"{at_row(sheets, other)}, column label: got {entry['label']:g} for response "
                f"{shown(entry['response_id'])} of prompt {shown(entry['prompt_id'])}, and {entry['first']:g} in "
                f"{at_row(sheets, same)}; give it the same label everywhere, or leave the column out"
            )
        return _of(sheets, long, first.select(*_RESPONSE, "file", "row", score=pl.col("label").cast(pl.Float64())), "")
    return _from_pairs(sheets, long, pairs)


def _from_pairs(sheets: Sequence[Sheet], long: pl.DataFrame, pairs: pl.DataFrame) -> Labels:
    """Labels by prompts whose preferences say that every chosen response is better than every rejected one."""
    if pairs.is_empty():
        return Labels(long.clear(), "")
    known = long.select(_RESPONSE).unique(maintain_order=True)
    sides = pl.concat(
        pairs.select("file", "row", "prompt_id", response_id=f"{side}_id", score=pl.lit(score))
        for side, score in (("chosen", 1.0), ("rejected", 0.0))
    ).join(known, on=_RESPONSE, how="semi", maintain_order="left")
    sides = sides.unique((*_RESPONSE, "score"), keep="first", maintain_order=True)
    stated = pairs.select("prompt_id", "chosen_id", "rejected_id").unique().group_by("prompt_id").len("pairs")
    chosen = (pl.col("score") == 1).sum()
    counts = sides.group_by("prompt_id").agg(
        both=pl.col("response_id").n_unique() < pl.len(), all_pairs=chosen * (pl.len() - chosen)
    )
    whole = counts.join(stated, on="prompt_id").filter(~pl.col("both") & (pl.col("all_pairs") == pl.col("pairs")))
    consistent = sides.join(whole, on="prompt_id", how="semi", maintain_order="left")
    contrary = sides["prompt_id"].n_unique() - whole.height
    without = (
        f"; none for {count(contrary, 'prompt')} whose preferences contradict one another or are not of all responses"
    )
    if consistent.height < _LEAST_SHARE * known.height:
        few = f"no labels: preferences order {consistent.height} of {known.height} responses"
        return Labels(long.clear(), few + (without if contrary else ""))
    return _of(sheets, long, consistent, ", from the preferences" + (without if contrary else ""))


def _of(sheets: Sequence[Sheet], long: pl.DataFrame, rows: pl.DataFrame, more: str) -> Labels:
    if (long["reward_model"] == LABEL).any():
        raise invalid(
            f"{at_row(sheets, long.filter(reward_model=LABEL))}, column reward_model: got {LABEL!r}, the name of the "
            "responses' labels; rename the reward model"
        )
    binary = rows["score"].is_in([0.0, 0.5, 1.0]).all()
    chosen = f", {int((rows['score'] > 0).sum())} of them above 0"
    least, most = np.array([rows["score"].min(), rows["score"].max()], dtype=np.float64)
    grades = f" from {least:g} to {most:g}"
    line = (
        f"labels of {count(rows.height, 'response')}{chosen if binary else grades}{more}: "
        f"scorer {LABEL!r}, golden only; "
        f"measure against it with `righttree measure --golden {LABEL}`"
    )
    absent = [pl.lit(None, dtype=long.schema[name]).alias(name) for name in long.columns if name not in rows.columns]
    named = rows.with_columns(absent).with_columns(reward_model=pl.lit(LABEL)).select(long.columns)
    return Labels(named.cast(long.schema), line)


def scorers(sheets: Sequence[Sheet], long: pl.DataFrame, golden: Sequence[str]) -> pl.DataFrame:
    """`reward_model_id, kind, role` of every scorer, by id; `golden` names those that are the truth.

    With a `golden` all others are proxies only; without, all but labels are both. Raises UnknownName.
    """
    files = long.drop_nulls("reward_model").select("reward_model", "file").unique().group_by("reward_model").agg("file")
    sources = {name: " ".join(sheets[file].name for file in numbers) for name, numbers in files.iter_rows()}
    unknown = [name for name in golden if name not in sources]
    if unknown:
        raise UnknownName(f"no scorer {unknown[0]!r} to be golden; there are {listed(sorted(sources))}")
    rows = []
    for name in sorted(sources):
        is_golden = name in golden or name == LABEL
        kinds = [kind for kind, word in _KIND_BY_NAME.items() if word.search(f"{name} {sources[name]}")]
        kind = LABEL if name == LABEL else kinds[0] if is_golden and kinds else "import"
        role = "golden" if is_golden else "proxy" if golden else None
        rows.append({"reward_model_id": name, "kind": kind, "role": role})
    return pl.DataFrame(rows, schema={"reward_model_id": pl.String(), "kind": pl.String(), "role": pl.String()})
