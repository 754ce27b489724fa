"""Scores and values in fewer digits, and none that others determine, so that an export is a third as large.

A score is a multiple of a power of two near a thousandth of its scorer's standard deviation. What that changes is below
what the precision of a language model in bfloat16 leaves open, and zeros at the end of a float compress well.
Values of best-of-n and of tilted policies are computed from the scores wherever they are not stored.
"""

from __future__ import annotations

import math

import polars as pl

from warehouse.schema import BY_WEIGHTING

_PARTS = 512
"""Steps in a standard deviation, at least; so a score changes by a thousandth of one at most."""


def rounded(frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """A run's tables with scores, and policies' values, rounded; scores are sorted by response, which packs better.

    Values are rounded in the steps of their golden's scores; a scorer whose scores do not vary keeps them. An imported
    run keeps the values of best-of-n that it was given.
    """
    steps = frames["score"].group_by("reward_model_id").agg(pl.col("score").cast(pl.Float64).std())
    steps = steps.select("reward_model_id", step=pl.col("score").map_elements(_step, pl.Float64, skip_nulls=True))
    values = steps.rename({"reward_model_id": "golden_id"})
    valued, weighted = frames["policy_value"], frames["policy"].filter(pl.col("optimizer").is_in(BY_WEIGHTING))
    if frames["run"]["profile"].item() != "import":
        valued = valued.join(weighted, on="policy_id", how="anti", maintain_order="left")
    return frames | {
        "score": _in_steps(frames["score"], "score", steps).sort("response_id", "reward_model_id"),
        "policy_value": _in_steps(valued, "value", values),
    }


def _step(deviation: float) -> float | None:
    return 2.0 ** math.floor(math.log2(deviation / _PARTS)) if 0 < deviation < math.inf else None


def _in_steps(frame: pl.DataFrame, column: str, steps: pl.DataFrame) -> pl.DataFrame:
    whole = (pl.col(column) / pl.col("step")).round() * pl.col("step")
    return (
        frame.join(steps, on=steps.columns[0], how="left", maintain_order="left")
        .with_columns(whole.fill_null(pl.col(column)).cast(frame.schema[column]).alias(column))
        .drop("step")
    )
