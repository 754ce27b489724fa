"""Rows of one key that come several times: the same row again, or an id that stands for several items.

RewardBench 2's published files have ids that stand twice (reward-bench, issue 273). Items of one id are told apart by
their place in the file, if all reward models have them in the same order; else nobody knows which score is of which.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from warehouse.exchange.sheet import shown
from warehouse.formats import count
from warehouse.ingest import repeated

KEY = ("prompt_id", "response_id", "reward_model")
LARGEST = 3.4028234663852886e38
"""Largest number of 32 bits."""

_RESPONSE = ("prompt_id", "response_id")
_SCORED = (pl.col("score").abs() <= LARGEST).fill_null(False)


class Repeats(NamedTuple):
    """Rows of `LONG` and `PAIRS` with every key once, a line on what was repeated, and what was left out for it.

    `left_out` has `prompt_id, response_id, reward_model, reason`; `line` is empty if nothing was repeated.
    """

    long: pl.DataFrame
    pairs: pl.DataFrame
    left_out: pl.DataFrame
    line: str


def without_repeats(long: pl.DataFrame, pairs: pl.DataFrame) -> Repeats:
    """Every key once: equal rows count once, items of one id get ids of their own, what is ambiguous is left out."""
    again = repeated(long, KEY)
    if again.is_empty():
        return Repeats(long, pairs, _left_out(long.clear(), ""), "")
    touched = pl.col("prompt_id").is_in(again["prompt_id"].unique().implode())
    several = long.filter(touched).with_columns(
        content=pl.struct("score", "label", "prompt", "response").hash(),
        place=pl.col("row").cum_count().over("file", *KEY),
    )
    differs = (pl.col("content").n_unique().over(KEY) > 1).any().over("prompt_id")
    equal, items = several.filter(~differs), several.filter(differs)
    once = equal.unique(KEY, keep="first", maintain_order=True)
    new_id = pl.format("{}~{}", "prompt_id", "place")
    in_order = _in_order() & ~(new_id.is_in(long["prompt_id"].unique().implode()).any().over("prompt_id"))
    apart = items.filter(in_order).with_columns(given_id="prompt_id", prompt_id=_numbered(new_id))
    mixed = items.filter(~in_order)
    unclear = (pl.col("response").drop_nulls().n_unique().over("file", *KEY) > 1).any().over("prompt_id")
    of_texts, rest = mixed.filter(unclear), mixed.filter(~unclear)
    whole = rest.filter(_SCORED | ~_SCORED.any().over(KEY)).unique((*KEY, "score"), keep="first", maintain_order=True)
    twice = (pl.len().over(KEY) > 1).any().over(_RESPONSE)
    of_scores, rest_once = whole.filter(twice), whole.filter(~twice)
    copies = equal.height - once.height + rest.height - whole.height
    parts = (long.filter(~touched), *(part.select(long.columns) for part in (once, apart, rest_once)))
    left_out = [
        _left_out(of_texts, "its prompt id stands for several items, in no common order"),
        _left_out(of_scores, "several scores of the same reward model"),
    ]
    return Repeats(
        pl.concat(parts), _renamed(pairs, apart), pl.concat(left_out), _line(copies, apart, of_texts, of_scores)
    )


def _in_order() -> pl.Expr:
    """Whether all reward models have the items of a prompt id equally often, with the same texts, in the same order."""
    equally_often = pl.len().over("file", *KEY).n_unique().over(_RESPONSE) == 1
    in_one_file = pl.col("file").n_unique().over(KEY) == 1
    same_text = pl.col("response").drop_nulls().n_unique().over(*_RESPONSE, "place") <= 1
    whole_item = pl.col("response_id").n_unique().over("prompt_id", "place") >= 2
    return (equally_often & in_one_file & same_text & whole_item).all().over("prompt_id")


def _numbered(new_id: pl.Expr) -> pl.Expr:
    return pl.when(pl.col("place") > 1).then(new_id).otherwise("prompt_id")


def _renamed(pairs: pl.DataFrame, apart: pl.DataFrame) -> pl.DataFrame:
    """Pairs of a row of a file whose item has a new id belong to that item."""
    new = apart.select("file", "row", "given_id", new="prompt_id").unique()
    on = ["file", "row", "prompt_id"]
    joined = pairs.join(new, left_on=on, right_on=["file", "row", "given_id"], how="left", maintain_order="left")
    return joined.with_columns(prompt_id=pl.coalesce("new", "prompt_id")).select(pairs.columns)


def _left_out(rows: pl.DataFrame, reason: str) -> pl.DataFrame:
    return rows.select(*KEY, reason=pl.lit(reason))


def _line(copies: int, apart: pl.DataFrame, of_texts: pl.DataFrame, of_scores: pl.DataFrame) -> str:
    said = []
    if copies:
        said.append(f"{count(copies, 'row')} that repeat others count once")
    if ids := apart["given_id"].n_unique():
        example = shown(apart.filter(pl.col("place") > 1)["prompt_id"][0])
        said.append(f"{count(ids, 'prompt id')} of several items each, told apart by their order, as {example}")
    if prompts := of_texts["prompt_id"].n_unique():
        example = shown(of_texts["prompt_id"][0])
        said.append(f"{count(prompts, 'prompt id')} of several items in no common order left out, as {example}")
    if responses := of_scores.select(_RESPONSE).unique().height:
        example = " of ".join(shown(of_scores[name][0]) for name in reversed(_RESPONSE))
        said.append(f"{count(responses, 'response')} with several scores of one reward model left out, as {example}")
    return f"repeated ids: {'; '.join(said)}"
