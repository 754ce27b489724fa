"""Series of test sets as tables: evaluations, or plans → Polars frame. Pure functions.

Every frame has the correlation `value` from `low` to `high`, null where undefined, and of what it was taken: `prompts`,
`rl_prompts`, and `undefined_pairs`, the golden–proxy pairs left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import polars as pl

from app import wording
from warehouse.measures import MEASURES, Advice, Estimate, Evaluation, Plan

ALL = "All"
"""Stands for all categories together in `categories`."""

Place = TypeVar("Place", tuple[int, int], tuple[str, str], tuple[str, int])

_FIGURES = {
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "prompts": pl.Int64,
    "rl_prompts": pl.Int64,
    "undefined_pairs": pl.Int64,
}


def ranks(cells: Mapping[tuple[int, int], Evaluation], correlation: str, level: str) -> pl.DataFrame:
    """A row per cell: `chosen_bin`, `rejected_bin`."""
    return _frame(cells, {"chosen_bin": pl.Int64, "rejected_bin": pl.Int64}, correlation, level)


def categories(cells: Mapping[tuple[str, str], Evaluation], correlation: str, level: str) -> pl.DataFrame:
    """A row per cell: `measured`, the category measured on, and `valued`, the one the policies are valued on."""
    return _frame(cells, {"measured": pl.String, "valued": pl.String}, correlation, level)


def responses(points: Mapping[tuple[str, int], Evaluation], correlation: str, level: str) -> pl.DataFrame:
    """A row per point: `held` fixed (`prompts` or `budget`), `responses`, and `annotations` made in all."""
    frame = _frame(points, {"held": pl.String, "responses": pl.Int64}, correlation, level)
    return frame.with_columns(annotations=pl.col("responses") * pl.col("prompts"))


def plans(found: Sequence[Plan], advice: Advice | None, correlation: str, level: str) -> pl.DataFrame:
    """A row per plan, the best first: `measure, title, responses, prompts`, its figures, and how far it is behind.

    `behind` from `behind_low` to `behind_high` is the best's correlation minus its own, paired; `share_best` the share
    of replicates in which none has a greater one.
    """
    behind = advice.behind if advice else [Estimate(None, None, None, 0)] * len(found)
    shares = advice.shares if advice else [None] * len(found)
    rows = [
        {
            "measure": plan.measure,
            "title": MEASURES[plan.measure].title,
            "responses": plan.responses,
            **_figures(plan.found.evaluation, correlation, level),
            "behind": after.value,
            "behind_low": after.low,
            "behind_high": after.high,
            "share_best": share,
        }
        for plan, after, share in zip(found, behind, shares, strict=True)
    ]
    schema = {"measure": pl.String, "title": pl.String, "responses": pl.Int64, **_FIGURES}
    schema |= dict.fromkeys(("behind", "behind_low", "behind_high", "share_best"), pl.Float64)
    return pl.DataFrame(rows, schema=schema).sort("value", descending=True, nulls_last=True, maintain_order=True)


def best_splits(plans: pl.DataFrame) -> pl.DataFrame:
    """Of each measure the row of its best split, the best measure first; measures without a figure are left out."""
    return plans.drop_nulls("value").unique("measure", keep="first", maintain_order=True)


def curves(plans: pl.DataFrame, measures: Sequence[str]) -> pl.DataFrame:
    """All splits of these measures."""
    return plans.filter(pl.col("measure").is_in(list(measures))).sort("responses", maintain_order=True)


def _frame(
    found: Mapping[Place, Evaluation],
    keys: Mapping[str, type[pl.DataType]],
    correlation: str,
    level: str,
) -> pl.DataFrame:
    rows = [
        dict(zip(keys, place, strict=True)) | _figures(evaluation, correlation, level)
        for place, evaluation in found.items()
    ]
    return pl.DataFrame(rows, schema={**keys, **_FIGURES})


def _figures(evaluation: Evaluation, correlation: str, level: str) -> dict[str, float | int | None]:
    estimate = wording.correlations(evaluation, level)[correlation]
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "prompts": evaluation.prompts_used,
        "rl_prompts": evaluation.rl_prompts_used,
        "undefined_pairs": evaluation.undefined_pairs,
    }
