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
    if _distinct(exact, "wide") == _distinct(exact, "single"):  # hashes, which are faster than groups of names
        return ""
    lost_here = pl.col("wide").n_unique().cast(pl.Int64()) - pl.col("single").n_unique().cast(pl.Int64())
    equal = exact.filter(exact.select("prompt_id", "reward_model", "single").hash_rows().is_duplicated())
    suspects = equal.group_by("reward_model", "prompt_id").agg(lost=lost_here).filter(pl.col("lost") > 0)
    sizes = exact.join(suspects.select("reward_model").unique(), on="reward_model").group_by("reward_model")
    lost = (
        suspects.group_by("reward_model")
        .agg(pl.col("lost").sum())
        .join(sizes.agg(scores=pl.len(), middle=pl.col("wide").median()), on="reward_model")
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


def _distinct(exact: pl.DataFrame, column: str) -> int:
    """How many distinct scores the scorers give the prompts, in all."""
    return int(exact.select("prompt_id", "reward_model", column).hash_rows().n_unique())
