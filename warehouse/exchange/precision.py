"""Scores are stored with 32 bits: those that differ only beyond them would become equal."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from warehouse.exchange.sheet import Sheet, at_row, invalid, shown

_MOST_SHARE = 0.01
"""Greatest share of a scorer's scores that may become equal to others of their prompts."""

_DIGITS = 12
"""Significant digits in which scores differ, if it is not by rounding of 64 bits alone."""


def check_precision(sheets: Sequence[Sheet], long: pl.DataFrame, scores: pl.DataFrame) -> str:
    """A line on scores (`prompt_id, reward_model, score`) that 32 bits make equal; empty if there are none.

    `long` are the rows that they come from. Raises InvalidRows if they are more than a hundredth of a scorer's, saying
    what to subtract.
    """
    score = pl.col("score")
    exact = scores.select(
        "prompt_id", "reward_model", wide=score.round_sig_figs(_DIGITS), single=score.cast(pl.Float32())
    )
    lost_here = pl.col("wide").n_unique().cast(pl.Int64()) - pl.col("single").n_unique().cast(pl.Int64())
    overall = exact.group_by("reward_model").agg(lost=lost_here)
    suspects = overall.filter(pl.col("lost") > 0)["reward_model"]
    if suspects.is_empty():
        return ""
    lost = (
        exact.filter(pl.col("reward_model").is_in(suspects.implode()))
        .group_by("reward_model", "prompt_id")
        .agg(lost=lost_here, scores=pl.len(), middle=pl.col("wide").median())
        .group_by("reward_model")
        .agg(pl.col("lost", "scores").sum(), pl.col("middle").median())
        .filter(pl.col("lost") > 0)
        .sort("lost", "reward_model", descending=[True, False])
    )
    for name, count, all_scores, middle in lost.iter_rows():
        offset = f"{float(f'{middle:.6g}'):.15g}"
        if count > _MOST_SHARE * all_scores:
            raise invalid(
                f"{at_row(sheets, long.filter(reward_model=name))}, column score: {count} of {all_scores} scores of "
                f"reward model {shown(name)} differ from others of their prompt only beyond the 32 bits that are "
                f"stored, and would become equal; subtract {offset} from all of its scores"
            )
    named = ", ".join(f"{count} of {name}" for name, count, *_ in lost.iter_rows())
    return f"scores that equal others of their prompt in 32 bits, and differ in the file: {named}" if named else ""
