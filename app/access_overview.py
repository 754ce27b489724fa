"""Access for the Overview: accuracy against NDR for each optimiser, and the findings. Keyed as in `access`."""

from __future__ import annotations

import streamlit as st

from app import access, access_curves, access_models
from app.access import Snapshot
from warehouse.measures import Comparison, Evaluation, PromptValues, compare, evaluate, prepare
from warehouse.measures.findings import Finding, better, harder, length, predicts

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
    said = access_models.scores_said(snapshot, run_id, ())
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
    return prepare(access.score_cube(snapshot, run_id).of_reward_models(names), measure)
