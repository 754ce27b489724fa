"""Results as tables for charts, tables and downloads. Pure functions: evaluation or frame → Polars frame."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.study import Evaluation, ScoreCube


def pairs(evaluation: Evaluation, reward_models: pl.DataFrame) -> pl.DataFrame:
    """One row per golden–proxy pair, the identity left out; figures are null where undefined.

    `reward_models` is the table of the run in the order of the evaluation's axes. `value` is the
    measure's value, `ndr_low` to `ndr_high` the 95 % interval of NDR.
    """
    names = reward_models["reward_model_id"].to_numpy()
    flips = reward_models["flip_rate"]
    golden, proxy = np.nonzero(~np.eye(len(names), dtype=bool))
    frame = pl.DataFrame(
        {
            "golden": names[golden],
            "proxy": names[proxy],
            "golden_flip_rate": flips.gather(golden),
            "proxy_flip_rate": flips.gather(proxy),
            "value": evaluation.value_MM[golden, proxy].astype(np.float64),
            "ndr": evaluation.ndr_MM[golden, proxy].astype(np.float64),
            "ndr_low": evaluation.ndr_low_MM[golden, proxy].astype(np.float64),
            "ndr_high": evaluation.ndr_high_MM[golden, proxy].astype(np.float64),
            "value_defined": evaluation.value_defined_MM[golden, proxy],
            "ndr_defined": evaluation.ndr_defined_MM[golden, proxy],
        }
    )
    return frame.with_columns(
        pl.when("ndr_defined").then(pl.col("ndr", "ndr_low", "ndr_high")),
        value=pl.when("value_defined").then("value"),
        regret=pl.when("ndr_defined").then(1 - pl.col("ndr")),
        defined=pl.col("value_defined") & pl.col("ndr_defined"),
    ).drop("value_defined", "ndr_defined")


def defined(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs that enter the correlations."""
    return pairs.filter("defined")


def pairs_by_category(evaluations: Mapping[str, Evaluation], reward_models: pl.DataFrame) -> pl.DataFrame:
    """The defined pairs of each category's test set: the columns of `pairs` after `category`."""
    return pl.concat(
        defined(pairs(evaluation, reward_models)).select(pl.lit(name).alias("category"), pl.all())
        for name, evaluation in evaluations.items()
    )


def pair_scores(cube: ScoreCube, chosen: NDArray[np.int64], golden: str, proxy: str) -> pl.DataFrame:
    """Scores of two reward models for every response to the chosen prompts.

    Columns `prompt, category, response` (its number), `golden_score, proxy_score` in standard deviations from the mean
    over these responses (0 where a reward model scores all alike).
    """
    R = cube.scores_MPR.shape[2]
    places = np.array([cube.reward_models.index(name) for name in (golden, proxy)])
    scores = cube.scores_MPR[np.ix_(places, chosen)].reshape(2, -1).astype(np.float64)
    spread = scores.std(axis=1, keepdims=True)
    scaled = np.divide(scores - scores.mean(axis=1, keepdims=True), spread, out=np.zeros_like(scores), where=spread > 0)
    return pl.DataFrame(
        {
            "prompt": np.repeat(np.array(cube.prompts, dtype=object)[chosen], R).tolist(),
            "category": np.repeat(np.array(cube.categories, dtype=object)[chosen], R).tolist(),
            "response": np.tile(np.arange(R), len(chosen)),
            "golden_score": scaled[0],
            "proxy_score": scaled[1],
        }
    )


def row_of(pairs: pl.DataFrame, golden: str, proxy: str) -> dict[str, Any]:
    """The row of one pair."""
    return pairs.row(by_predicate=(pl.col("golden") == golden) & (pl.col("proxy") == proxy), named=True)


def reward_model(reward_models: pl.DataFrame, name: str) -> dict[str, Any]:
    """The row of one reward model."""
    return reward_models.row(by_predicate=pl.col("reward_model_id") == name, named=True)


def marked(pairs: pl.DataFrame, golden: str | None, proxy: str | None) -> pl.DataFrame:
    """The pairs with a column `chosen`: whether a row is the pair the user looks at."""
    is_chosen = (pl.col("golden") == pl.lit(golden)) & (pl.col("proxy") == pl.lit(proxy))
    return pairs.with_columns(chosen=is_chosen.fill_null(False))


def to_csv(pairs: pl.DataFrame, facts: Mapping[str, object]) -> bytes:
    """The table as CSV; `facts` (run, measure, optimiser, …) come first, in every row, so that it explains itself.

    A fact that the table itself says row by row, by a column of that name, is left to the table.
    """
    said = [pl.lit(value).alias(name) for name, value in facts.items() if name not in pairs.columns]
    return pairs.select(*said, pl.all()).write_csv().encode()


def picks_shown(picks: pl.DataFrame, categories: Sequence[str], limit: int) -> pl.DataFrame:
    """The first prompts of `reads.responses.picks` within the RL-test categories (none: all)."""
    return _within(picks, categories).head(limit)


def picks_summary(picks: pl.DataFrame, categories: Sequence[str]) -> dict[str, float]:
    """How often the two reward models pick the same response: `prompts`, `same`, `mean_loss`."""
    within = _within(picks, categories)
    same = within.filter(pl.col("golden_pick") == pl.col("proxy_pick")).height
    return {"prompts": within.height, "same": same, "mean_loss": float(within["loss"].mean() or 0.0)}  # type: ignore[arg-type]


def stage_timings(manifest: Mapping[str, Any]) -> pl.DataFrame:
    """Seconds, units and peak memory of every stage in a run's manifest, in the order of the run."""
    rows = [
        {
            "stage": name,
            "wall_s": float(facts.get("wall_s", 0.0)),
            "units": int(facts.get("units", 0)),
            "unit": str(facts.get("unit", "")),
            "peak_resident_bytes": int(facts.get("peak_resident_bytes", 0)),
        }
        for name, facts in manifest.get("stages", {}).items()
    ]
    schema = {"stage": pl.String, "wall_s": pl.Float64, "units": pl.Int64, "unit": pl.String}
    return pl.DataFrame(rows, schema={**schema, "peak_resident_bytes": pl.Int64})


def flattened(settings: Mapping[str, Any], prefix: str = "") -> pl.DataFrame:
    """Nested settings as a table of two columns of text, `setting` (dotted) and `value`."""
    return pl.DataFrame(_leaves(settings, prefix), schema={"setting": pl.String, "value": pl.String}, orient="row")


def _leaves(settings: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    leaves = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            leaves += _leaves(value, f"{prefix}{name}.")
        else:
            leaves.append((prefix + name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    return leaves


def _within(picks: pl.DataFrame, categories: Sequence[str]) -> pl.DataFrame:
    return picks.filter(pl.col("category").is_in(categories)) if categories else picks
