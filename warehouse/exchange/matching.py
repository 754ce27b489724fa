"""Which prompt and which responses of the run a preference between texts is about; blanks at the ends do not count."""

from __future__ import annotations

import polars as pl

from warehouse.formats import count

_SIDES = ("chosen", "rejected")


def matched(given: pl.DataFrame, prompts: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    """Preferences with `given_id`, `chosen_id` and `rejected_id`: the run's prompt and responses, null if unknown.

    `prompts` has prompt_id and text, `responses` prompt_id, response_id and text. A prompt is known by its id, else by
    its text; of several prompts of one text it is the one that has the responses, else the first.
    """
    preferences = given.with_row_index("preference").with_columns(prompt_key=_key("prompt"))
    named = prompts.select(candidate="prompt_id", prompt_key=_key("text")).filter(pl.col("prompt_key") != "")
    by_id = preferences.filter(pl.col("prompt_id").is_not_null()).with_columns(candidate="prompt_id")
    by_text = preferences.filter(pl.col("prompt_id").is_null()).join(
        named, on="prompt_key", how="left", maintain_order="left_right"
    )
    candidates = pl.concat([by_id.select(by_text.columns), by_text])
    texts = responses.select(candidate="prompt_id", response_id="response_id", key=_key("text"))
    texts = texts.filter(pl.col("key") != "").unique(("candidate", "key"), keep="first", maintain_order=True)
    for side in _SIDES:
        of_side = texts.rename({"response_id": f"{side}_id", "key": f"{side}_key"})
        candidates = candidates.with_columns(_key(side).alias(f"{side}_key")).join(
            of_side, on=["candidate", f"{side}_key"], how="left", maintain_order="left"
        )
    known = pl.sum_horizontal(pl.col(f"{side}_id").is_not_null() for side in _SIDES)
    best = candidates.with_columns(known=known).sort(
        "preference", "known", descending=[False, True], maintain_order=True
    )
    best = best.unique("preference", keep="first", maintain_order=True).rename({"candidate": "given_id"})
    return best.select(*given.columns, "given_id", "chosen_id", "rejected_id")


def line_about(preferences: pl.DataFrame) -> str:
    """What to say about matched preferences; empty if all that validate are between scored responses."""
    validation = preferences.filter(pl.col("split").fill_null("validation") == "validation")
    scored = validation.filter(pl.col("chosen_id").is_not_null() & pl.col("rejected_id").is_not_null())
    if scored.height == validation.height:
        return ""
    total = count(validation.height, "preference")
    if scored.height:
        return f"{scored.height} of {total} are between two scored responses: validation accuracy is of these"
    return (
        f"no preference of {validation.height} is between two scored responses: validation accuracy stays unknown; the "
        "texts of prompts and responses have to be those of the scores, or prompt_id has to name the prompt"
    )


def _key(name: str) -> pl.Expr:
    return pl.col(name).fill_null("").str.strip_chars()
