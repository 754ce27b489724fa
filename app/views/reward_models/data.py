"""Access for the Reward models page: how each was trained and what can be said of its scores. Keyed as in `access`.

Tables of the Reward models page. Pure functions: results → Polars frames; undefined figures are null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from app.access import warehouse
from app.access.warehouse import Snapshot
from warehouse import reads
from warehouse.metrics.calibration import Reliability, reliability
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.model_scores import (
    Agreement,
    ModelEstimates,
    agreement,
    length_correlations,
    reward_variances,
    score_shares,
)
from warehouse.metrics.test_set import prompts_in
from warehouse.stats.bootstrap import Estimate, wilson_interval
from warehouse.study import PromptValues, prepare

_KEPT = 16


@dataclass(frozen=True)
class ScoresSaid:
    """What the scores of all reward models on some RM-test prompts say; the order is the run's."""

    cube: ScoreCube
    variances: ModelEstimates
    lengths: ModelEstimates
    agreement: Agreement
    shares_MB: NDArray[np.float64]
    edges: NDArray[np.float64]


training_curves = warehouse.cached(reads.runs.training_curves)
"""Curves of all reward models of a run."""

flipped_pairs = warehouse.cached(reads.runs.flipped_pairs)
"""How many training pairs of each reward model were flipped."""

validation_pairs = warehouse.cached(reads.runs.validation_pairs)
"""How many pairs the reward models were validated on."""

_response_tokens = warehouse.cached(reads.responses.response_tokens, entries=4)


@st.cache_resource(max_entries=_KEPT, show_spinner="Measuring the reward models …")
def scores_said(snapshot: Snapshot, run_id: str, categories: tuple[str, ...]) -> ScoresSaid:
    """What scores say on the RM-test prompts of these categories (none: all)."""
    whole = warehouse.score_cube(snapshot, run_id)
    chosen = prompts_in(whole.categories, whole.subsets, categories or None, None, "RM-test")
    cube = whole.of_prompts(chosen)
    shares_MB, edges = score_shares(cube)
    return ScoresSaid(
        cube=cube,
        variances=reward_variances(cube),
        lengths=length_correlations(cube, _response_tokens(snapshot, run_id, "rm_test")[chosen]),
        agreement=agreement(_accuracy(snapshot, run_id), chosen),
        shares_MB=shares_MB,
        edges=edges,
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def reliability_of(
    snapshot: Snapshot, run_id: str, categories: tuple[str, ...], golden: str, proxy: str
) -> Reliability:
    """The proxy's confidence against how often it is right about the golden's order."""
    return reliability(scores_said(snapshot, run_id, categories).cube, golden, proxy)


@st.cache_resource(max_entries=4, show_spinner=False)
def _accuracy(snapshot: Snapshot, run_id: str) -> PromptValues:
    return prepare(warehouse.score_cube(snapshot, run_id), "accuracy")


IMPORTED = "import"
"""Kind of the reward models whose scores were made elsewhere."""

ADDED = ("model", "server")
"""Kinds of those that were made elsewhere and scored here."""

_TRAINED = ("reward_model", "kind", "flip_rate", "length_bias", "train_pairs", "trainable_layers", "seed")


def trained(reward_models: pl.DataFrame, flipped: pl.DataFrame, validation_pairs: int) -> pl.DataFrame:
    """One row per reward model: how it was trained, and its validation accuracy with Wilson's interval.

    `flipped_pairs` is null where the labels were not kept; the interval where the validation pairs were not; all but
    name and kind for a reward model of an imported run.
    """
    frame = reward_models.join(
        flipped.select("reward_model_id", flipped_pairs="flipped"), on="reward_model_id", how="left"
    ).rename({"reward_model_id": "reward_model"})
    known = frame.select(name for name in _TRAINED if name in frame.columns)
    accuracies = frame["validation_accuracy"].to_list()
    ends = [
        (None, None)
        if share is None or validation_pairs == 0
        else wilson_interval(round(share * validation_pairs), validation_pairs)
        for share in accuracies
    ]
    return known.with_columns(
        frame["flipped_pairs"],
        pl.Series("validation_accuracy", accuracies, dtype=pl.Float64),
        pl.Series("validation_low", [low for low, _ in ends], dtype=pl.Float64),
        pl.Series("validation_high", [high for _, high in ends], dtype=pl.Float64),
    )


def of_each(names: Sequence[str], found: ModelEstimates, reward_models: pl.DataFrame) -> pl.DataFrame:
    """A figure of each reward model: `reward_model, kind, flip_rate, value, low, high, undefined_prompts`."""
    return estimates(names, found.estimates).with_columns(
        *_looks(names, reward_models), pl.Series("undefined_prompts", found.undefined, dtype=pl.Int64)
    )


def estimates(names: Sequence[str], found: Sequence[Estimate]) -> pl.DataFrame:
    """`reward_model, value, low, high` of estimates in the order of the names."""
    return pl.DataFrame(
        {
            "reward_model": list(names),
            "value": [estimate.value for estimate in found],
            "low": [estimate.low for estimate in found],
            "high": [estimate.high for estimate in found],
        },
        schema={"reward_model": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64},
    )


def overview(
    trained: pl.DataFrame, variances: pl.DataFrame, lengths: pl.DataFrame, agreed: pl.DataFrame
) -> pl.DataFrame:
    """The table of everything: how each was trained, then what its scores say. Columns that nothing is in are left out.

    All four have the reward models in the same order.
    """
    mean_agreement = agreed.group_by("reward_model", maintain_order=True).agg(mean_agreement=pl.col("value").mean())
    frame = trained.with_columns(
        reward_variance=variances["value"],
        variance_low=variances["low"],
        variance_high=variances["high"],
        length_correlation=lengths["value"],
        length_low=lengths["low"],
        length_high=lengths["high"],
    ).join(mean_agreement, on="reward_model", how="left", maintain_order="left")
    return frame.select(column for column in frame if column.null_count() < len(column))


def curves(curves: pl.DataFrame, reward_models: pl.DataFrame, metrics: Sequence[str]) -> pl.DataFrame:
    """Training curves of these metrics: `reward_model, kind, flip_rate, metric, step, value`."""
    return (
        curves.filter(pl.col("metric").is_in(list(metrics)))
        .rename({"model_id": "reward_model"})
        .join(
            reward_models.select("kind", "flip_rate", reward_model="reward_model_id"),
            on="reward_model",
            maintain_order="left",
        )
    )


def own_curves(curves: pl.DataFrame, name: str) -> pl.DataFrame:
    """The losses of one reward model: `step, pairs, value`, `pairs` being training or validation."""
    own = curves.filter(pl.col("reward_model") == name)
    return own.select(
        "step", pl.col("metric").str.replace("_loss$", "").replace("train", "training").alias("pairs"), "value"
    )


def distribution(names: Sequence[str], shares_MB: np.ndarray, edges: np.ndarray) -> pl.DataFrame:
    """The share of each reward model's responses in each bin of its standardised score."""
    M, bins = shares_MB.shape
    return pl.DataFrame(
        {
            "reward_model": np.repeat(np.array(names, dtype=object), bins).tolist(),
            "least": np.tile(edges[:-1], M),
            "greatest": np.tile(edges[1:], M),
            "share": shares_MB.ravel(),
        },
        schema_overrides={"reward_model": pl.String},
    )


def agreements(names: Sequence[str], found: Agreement) -> pl.DataFrame:
    """One row per ordered pair of reward models: `reward_model, other, value, low, high`, null where undefined."""
    one, other = np.nonzero(~np.eye(len(names), dtype=bool))
    there = pl.Series(found.defined_MM[one, other])
    labels = np.array(names, dtype=object)
    return (
        pl.DataFrame(
            {
                "reward_model": labels[other].tolist(),
                "other": labels[one].tolist(),
                "value": found.share_MM[one, other],
                "low": found.low_MM[one, other],
                "high": found.high_MM[one, other],
            },
            schema_overrides={"reward_model": pl.String, "other": pl.String},
        )
        .with_columns(pl.when(there).then(pl.col("value", "low", "high")))
        .sort("reward_model", maintain_order=True)
    )


def among(pairs: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The rows of `agreements` whose reward models are both among these."""
    return pairs.filter(pl.col("reward_model").is_in(list(names)) & pl.col("other").is_in(list(names)))


def reliability_bins(found: Reliability) -> pl.DataFrame:
    """One row per bin of confidence: `least, greatest, confidence, right, low, high, pairs`."""
    return pl.DataFrame(
        [
            {"least": b.least, "greatest": b.greatest, "confidence": b.confidence}
            | {"right": b.right.value, "low": b.right.low, "high": b.right.high, "pairs": b.pairs}
            for b in found.bins
        ],
        schema=dict.fromkeys(("least", "greatest", "confidence", "right", "low", "high"), pl.Float64)
        | {"pairs": pl.Int64},
    )


def best_other(reward_models: pl.DataFrame, name: str) -> str | None:
    """The reward model of the greatest validation accuracy beside this one; None where there is no other."""
    others = reward_models.filter(pl.col("reward_model_id") != name).sort(
        "validation_accuracy", descending=True, nulls_last=True, maintain_order=True
    )
    return None if others.is_empty() else str(others["reward_model_id"][0])


def _looks(names: Sequence[str], reward_models: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    row = {entry["reward_model_id"]: entry for entry in reward_models.to_dicts()}
    return (
        pl.Series("kind", [row[name]["kind"] for name in names], dtype=pl.String),
        pl.Series("flip_rate", [row[name]["flip_rate"] for name in names], dtype=pl.Float64),
    )
