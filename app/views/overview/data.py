"""Access for the Overview: accuracy against NDR for each optimiser, and the findings. Keyed as in `access`.

Tables of the Overview. Pure functions.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import streamlit as st

from app.access import curves as access_curves
from app.access import frames, warehouse
from app.access.warehouse import Snapshot
from app.components import words
from app.views.reward_models import data
from warehouse import paper
from warehouse.claims.findings import Finding, better, harder, length, predicts
from warehouse.study import Comparison, Evaluation, PromptValues, compare, evaluate, prepare

_KEPT = 16

COMPARED = {"responses": ("accuracy", "accuracy_pair"), "measure": ("spearman", "accuracy")}
"""The comparisons on the page, fixed beforehand: all responses against one pair, and ranks against accuracy."""


@st.cache_resource(max_entries=_KEPT, show_spinner="Resampling …")
def evaluation(snapshot: Snapshot, run_id: str, optimizer: str) -> Evaluation:
    """Accuracy against NDR at the optimiser's greatest strength."""
    curves = access_curves.value_curves(snapshot, run_id, optimizer, None)
    return evaluate(access_curves.cube(snapshot, run_id, curves), curves.values[-1])


def findings(snapshot: Snapshot, run_id: str, optimizer: str) -> tuple[Finding, ...]:
    """The findings about an optimiser: whether accuracy predicts, what predicts better, and what more strength does."""
    return (
        predicts(evaluation(snapshot, run_id, optimizer)),
        *(better(name, _comparison(snapshot, run_id, optimizer, *pair)) for name, pair in COMPARED.items()),
        harder(access_curves.ndr(snapshot, run_id, optimizer, None)),
    )


def length_finding(snapshot: Snapshot, run_id: str) -> Finding:
    """Whether scores follow length."""
    said = data.scores_said(snapshot, run_id, ())
    return length(said.cube.reward_models, said.lengths)


@st.cache_resource(max_entries=4 * _KEPT, show_spinner="Resampling …")
def _comparison(snapshot: Snapshot, run_id: str, optimizer: str, first: str, second: str) -> Comparison:
    curves = access_curves.value_curves(snapshot, run_id, optimizer, None)
    prepared = tuple(_prepared(snapshot, run_id, curves.reward_models, name) for name in (first, second))
    return compare(
        access_curves.cube(snapshot, run_id, curves),
        curves.values[-1],
        first,
        second,
        prepared=(prepared[0], prepared[1]),
    )


@st.cache_resource(max_entries=8, show_spinner="Measuring …")
def _prepared(snapshot: Snapshot, run_id: str, names: tuple[str, ...], measure: str) -> PromptValues:
    return prepare(warehouse.score_cube(snapshot, run_id).of_reward_models(names), measure)


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
                "optimizer": words.optimizer(optimizer).title,
                "correlation": words.CORRELATIONS[name].title,
                "ours": None if ours is None else ours.value,
                "low": None if ours is None else ours.low,
                "high": None if ours is None else ours.high,
                "paper": paper.ACCURACY_AGAINST_NDR[optimizer, name],
            }
        )
    figures = dict.fromkeys(("ours", "low", "high", "paper"), pl.Float64)
    return pl.DataFrame(rows, schema={"optimizer": pl.String, "correlation": pl.String, **figures})
