"""What the Overview shows: accuracy against NDR for each optimiser, the findings, and the tables of its figures.

Results are cached by the build they are read from, as in `access`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl
import streamlit as st

from app.access import curves as access_curves
from app.access import frames, warehouse
from app.access.pool import heavy
from app.access.warehouse import Snapshot
from app.components import words
from app.views.reward_models import data as reward_models_data
from warehouse import paper
from warehouse.claims import Finding
from warehouse.claims.findings import better, harder, length, predicts
from warehouse.study import Comparison, Evaluation, PromptValues, compare, evaluate, prepare
from warehouse.study.curves.value_curves import ValueCurves

COMPARED = {"responses": ("accuracy", "accuracy_pair"), "measure": ("spearman", "accuracy")}
"""The comparisons on the page, fixed beforehand: all responses against one pair, and ranks against accuracy."""


@heavy(16)
def evaluation(snapshot: Snapshot, run_id: str, optimizer: str) -> Evaluation:
    """Accuracy against NDR at the optimiser's greatest strength."""
    series = access_curves.Series(snapshot, run_id, optimizer)
    return evaluate(access_curves.cube(series), access_curves.value_curves(series).values[-1])


def finding(snapshot: Snapshot, run_id: str, optimizer: str, name: str) -> Finding:
    """A finding about an optimiser: `predicts`, `harder`, or one of `COMPARED`."""
    if name == "predicts":
        return predicts(evaluation(snapshot, run_id, optimizer))
    if name == "harder":
        return harder(access_curves.ndr(access_curves.Series(snapshot, run_id, optimizer)))
    return better(name, _comparison(snapshot, run_id, optimizer, *COMPARED[name]))


def length_finding(snapshot: Snapshot, run_id: str) -> Finding | None:
    """Whether scores of reward models follow length; None if the responses' lengths are unknown."""
    summary = reward_models_data.score_summary(snapshot, run_id, ())
    if summary.lengths is None:
        return None
    cube, lengths = summary.cube, summary.lengths
    judged = [m for m, role in enumerate(cube.only or [None] * len(cube.reward_models)) if role != "golden"]
    estimates = tuple(lengths.estimates[m] for m in judged)
    return length([cube.reward_models[m] for m in judged], replace(lengths, estimates=estimates))


@heavy(64)
def _comparison(snapshot: Snapshot, run_id: str, optimizer: str, first: str, second: str) -> Comparison:
    series = access_curves.Series(snapshot, run_id, optimizer)
    curves = access_curves.value_curves(series)
    names = curves.reward_models
    prepared = _prepared(snapshot, run_id, names, first), _prepared(snapshot, run_id, names, second)
    cube = access_curves.cube(series)
    return compare(cube, curves.values[-1], first, second, prepared=prepared)


@st.cache_resource(max_entries=8, show_spinner="Measuring …")
def _prepared(snapshot: Snapshot, run_id: str, names: tuple[str, ...], measure: str) -> PromptValues:
    return prepare(warehouse.score_cube(snapshot, run_id).of_reward_models(names), measure)


def pairs(evaluation: Evaluation, reward_models: pl.DataFrame, curves: ValueCurves) -> pl.DataFrame:
    """`frames.pairs` of the reward models that have curves, with a column `optimizer` first; no pair is marked."""
    compared = reward_models.filter(pl.col("reward_model_id").is_in(list(curves.reward_models)))
    marked = frames.marked(frames.pairs(evaluation, compared), golden=None, proxy=None)
    return marked.select(pl.lit(curves.optimizer).alias("optimizer"), pl.all())


def telling_pair(pairs: pl.DataFrame) -> tuple[str, str] | None:
    """The golden and proxy that lose most although the proxy is at least as accurate as most; None without any.

    `pairs`: columns `golden, proxy, value, ndr, defined`.
    """
    defined = frames.defined(pairs)
    accurate = defined.filter(pl.col("value") >= pl.col("value").median()).sort("ndr", "golden", "proxy")
    return None if accurate.is_empty() else accurate.select("golden", "proxy").row(0)


def against_paper(evaluations: Mapping[str, Evaluation]) -> pl.DataFrame:
    """Correlations of accuracy with NDR, ours and the paper's: `optimizer, correlation`, ours as in
    `frames.correlation_of`, and `paper`.
    """
    rows = []
    for (optimizer, name), figure in paper.ACCURACY_AGAINST_NDR.items():
        titles = {"optimizer": words.optimizer(optimizer).title, "correlation": words.CORRELATIONS[name].title}
        ours = (
            frames.correlation_of(evaluations[optimizer].correlations[name])
            if optimizer in evaluations
            else dict.fromkeys(frames.CORRELATION)
        )
        rows.append({**titles, **ours, "paper": figure})
    figures = frames.floats(*frames.CORRELATION, "paper")
    return pl.DataFrame(rows, schema={"optimizer": pl.String, "correlation": pl.String, **figures})
