"""Tables of the Overview. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from app import frames, wording
from warehouse import paper
from warehouse.measures import Evaluation


def pairs(
    evaluations: Mapping[str, Evaluation], reward_models: pl.DataFrame, names: Mapping[str, tuple[str, ...]]
) -> pl.DataFrame:
    """`frames.pairs` of each optimiser below one another, with a column `optimizer` first."""
    return pl.concat(
        pairs_of(evaluation, reward_models, names[optimizer]).select(pl.lit(optimizer).alias("optimizer"), pl.all())
        for optimizer, evaluation in evaluations.items()
    )


def pairs_of(evaluation: Evaluation, reward_models: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    """`frames.pairs` of the reward models that the evaluation is of; no pair is chosen."""
    some = reward_models.filter(pl.col("reward_model_id").is_in(list(names)))
    return frames.marked(frames.pairs(evaluation, some), None, None)


def beside_the_paper(evaluations: Mapping[str, Evaluation]) -> pl.DataFrame:
    """`optimizer, correlation, ours, low, high, paper`: correlations of accuracy with NDR, ours and the paper's."""
    rows = []
    for optimizer, name in paper.ACCURACY_AGAINST_NDR:
        ours = evaluations[optimizer].correlations[name] if optimizer in evaluations else None
        rows.append(
            {
                "optimizer": wording.optimizer(optimizer).title,
                "correlation": wording.CORRELATIONS[name].title,
                "ours": None if ours is None else ours.value,
                "low": None if ours is None else ours.low,
                "high": None if ours is None else ours.high,
                "paper": paper.ACCURACY_AGAINST_NDR[optimizer, name],
            }
        )
    figures = dict.fromkeys(("ours", "low", "high", "paper"), pl.Float64)
    return pl.DataFrame(rows, schema={"optimizer": pl.String, "correlation": pl.String, **figures})
