"""Access for the Reward models page: how each was trained and what can be said of its scores. Keyed as in `access`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from app import access
from app.access import Snapshot
from warehouse import reads_responses, reads_training
from warehouse.measures import PromptValues, prepare
from warehouse.measures.agreement import Agreement, agreement
from warehouse.measures.alone import OfEach, length_correlations, reward_variances, score_shares
from warehouse.measures.cube import ScoreCube
from warehouse.measures.reliability import Reliability, reliability
from warehouse.measures.test_set import prompts_in

_KEPT = 16


@dataclass(frozen=True)
class ScoresSaid:
    """What the scores of all reward models on some RM-test prompts say; the order is the run's."""

    cube: ScoreCube
    variances: OfEach
    lengths: OfEach
    agreement: Agreement
    shares_MB: NDArray[np.float64]
    edges: NDArray[np.float64]


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def training_curves(snapshot: Snapshot, run_id: str) -> pl.DataFrame:
    """Curves of all reward models of a run."""
    with access.cursor(snapshot) as connection:
        return reads_training.training_curves(connection, run_id)


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def flipped_pairs(snapshot: Snapshot, run_id: str) -> pl.DataFrame:
    """How many training pairs of each reward model were flipped."""
    with access.cursor(snapshot) as connection:
        return reads_training.flipped_pairs(connection, run_id)


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def validation_pairs(snapshot: Snapshot, run_id: str) -> int:
    """How many pairs the reward models were validated on."""
    with access.cursor(snapshot) as connection:
        return reads_training.validation_pairs(connection, run_id)


@st.cache_resource(max_entries=_KEPT, show_spinner="Measuring the reward models …")
def scores_said(snapshot: Snapshot, run_id: str, categories: tuple[str, ...]) -> ScoresSaid:
    """What scores say on the RM-test prompts of these categories (none: all)."""
    whole = access.score_cube(snapshot, run_id)
    chosen = prompts_in(whole.categories, whole.subsets, categories or None, None, "RM-test")
    cube = whole.of_prompts(chosen)
    shares_MB, edges = score_shares(cube)
    return ScoresSaid(
        cube=cube,
        variances=reward_variances(cube),
        lengths=length_correlations(cube, _tokens(snapshot, run_id)[chosen]),
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
def _tokens(snapshot: Snapshot, run_id: str) -> NDArray[np.int64]:
    with access.cursor(snapshot) as connection:
        return reads_responses.response_tokens(connection, run_id, "rm_test")


@st.cache_resource(max_entries=4, show_spinner=False)
def _accuracy(snapshot: Snapshot, run_id: str) -> PromptValues:
    return prepare(access.score_cube(snapshot, run_id), "accuracy")
