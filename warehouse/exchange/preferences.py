"""Preferences that came with the scores, as table `preference`, and each reward model's accuracy on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from warehouse.exchange.checking.check import Study
from warehouse.exchange.matching import matched
from warehouse.exchange.sheet import Sheet, at_row, invalid, shown, wrong_row

_PAIR = ("prompt_id", "chosen_id", "rejected_id")


class Preferences(NamedTuple):
    """Table `preference` without `run_id`, and those of its pairs whose two responses were scored, by id."""

    rows: pl.DataFrame
    scored: pl.DataFrame


def preference_rows(sheets: Sequence[Sheet], study: Study, places: pl.DataFrame) -> Preferences:
    """All preferences of the files. Raises InvalidRows for unknown prompts, and for a repeated id."""
    pieces = study.pieces
    placed = places.unique("prompt_id", keep="first", maintain_order=True).select(
        "prompt_id", "placed", "text", known_category="category"
    )
    pairs = pieces.pairs.unique(_PAIR, keep="first", maintain_order=True)
    texts = study.responses.select("prompt_id", "response_id", "text")
    by_id = pairs.join(placed, on="prompt_id", maintain_order="left")
    for side in ("chosen", "rejected"):
        named = texts.rename({"response_id": f"{side}_id", "text": side})
        by_id = by_id.join(named, on=["prompt_id", f"{side}_id"], maintain_order="left")
    by_id = by_id.select(
        "chosen",
        "rejected",
        preference_id=pl.format("{}|{}|{}", *_PAIR),
        source=pl.lit("import"),
        split=pl.lit("validation"),
        category="known_category",
        prompt_id="placed",
        prompt="text",
    )
    by_text = _given(sheets, matched(pieces.preferences, placed, texts), placed)
    rows = pl.concat([by_id, by_text.select(by_id.columns)])
    _check_ids(sheets, by_text, rows)
    is_known = pl.all_horizontal(pl.col("given_id", "chosen_id", "rejected_id").is_not_null())
    known = by_text.filter(is_known & (pl.col("split") == "validation"))
    known = known.select("chosen_id", "rejected_id", prompt_id="given_id")
    return Preferences(rows, pl.concat([pairs.select(_PAIR), known.select(_PAIR)]))


def accuracies(scores: pl.DataFrame, pairs: pl.DataFrame) -> dict[str, float]:
    """Share of the pairs that each reward model orders right, ties half; empty without pairs."""
    scored = pairs
    for side in ("chosen", "rejected"):
        named = scores.rename({"response_id": f"{side}_id", "score": side})
        scored = scored.join(named, on=["prompt_id", f"{side}_id"] + ["reward_model"] * (side == "rejected"))
    right = (pl.col("chosen") > pl.col("rejected")) + 0.5 * (pl.col("chosen") == pl.col("rejected"))
    return dict(scored.group_by("reward_model").agg(right.cast(pl.Float64()).mean().alias("share")).iter_rows())


def _given(sheets: Sequence[Sheet], given: pl.DataFrame, placed: pl.DataFrame) -> pl.DataFrame:
    """Preferences from files of their own, matched with the run's prompts and responses, as rows of the table."""
    known = placed["prompt_id"]
    wrong = given.filter(pl.col("prompt_id").is_not_null() & ~pl.col("prompt_id").is_in(known.implode()))
    if wrong.height:
        remedy = f"wanted one of {shown(known.to_list())}, or leave it empty"
        raise wrong_row(sheets, wrong, "prompt_id", wrong["prompt_id"][0], remedy)
    names = dict(enumerate(sheet.name for sheet in sheets))
    stems = pl.col("file").replace_strict(list(names), list(names.values()), return_dtype=pl.String())
    return (
        given.drop("prompt_id")
        .join(placed, left_on="given_id", right_on="prompt_id", how="left", maintain_order="left")
        .with_columns(
            preference_id=pl.coalesce("preference_id", pl.format("{}|{}", stems, pl.col("row") + 1)),
            source=pl.coalesce("source", pl.lit("import")),
            split=pl.coalesce("split", pl.lit("validation")),
            category=pl.coalesce("category", "known_category"),
            prompt=pl.coalesce("prompt", "text", pl.lit("")),
            prompt_id="placed",
        )
    )


def _check_ids(sheets: Sequence[Sheet], by_text: pl.DataFrame, rows: pl.DataFrame) -> None:
    repeated = rows.filter(~pl.col("preference_id").is_first_distinct())
    if repeated.height:
        again = by_text.filter(preference_id=repeated["preference_id"][0]).tail(1)
        where = at_row(sheets, again) if again.height else sheets[0].name
        raise invalid(f"{where}, column preference_id: got {shown(repeated['preference_id'][0])} twice; name each once")
