"""Access for pages about optimised policies at all their strengths. Keyed as in `access`."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.access import warehouse
from app.access.warehouse import Snapshot
from warehouse import reads
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.test_set import prompts_in
from warehouse.metrics.worst_picks import WorstPicks, worst_picks
from warehouse.study.gain_curves import DegreeMap, GainCurves, degree_map, gain_curves
from warehouse.study.goodhart import GoodhartSlopes, goodhart_slopes, spread_within_prompts
from warehouse.study.strength_curves import LengthDrift, NdrCurve, length_drift, ndr_curve
from warehouse.study.value_curves import ValueCurves

MOST_FOR_ALL_REPLICATES = 20
_KEPT = 16

Categories = tuple[str, ...]


_strengths = warehouse.cached(reads.policies.strengths)


def optimizers(snapshot: Snapshot, run_id: str) -> tuple[str, ...]:
    """The optimisers of a run."""
    return tuple(_strengths(snapshot, run_id)["optimizer"].unique().sort())


kl_coefficients = warehouse.cached(reads.policies.kl_coefficients)
"""The KL penalties that an optimiser was used with, the default one first; none for one without penalties."""

stopped_ppo = warehouse.cached(reads.policies.stopped_ppo)
"""PPO that went wrong, and why."""

ppo_curves = warehouse.cached(reads.policies.ppo_curves)
"""What was recorded while policies were optimised by PPO."""


@st.cache_resource(max_entries=_KEPT, show_spinner="Reading the policy values …")
def value_curves(snapshot: Snapshot, run_id: str, optimizer: str, penalty: float | None) -> ValueCurves:
    """Values of an optimiser's policies at all strengths. Raises InvalidChoice where there are none to compare."""
    with warehouse.cursor(snapshot) as connection:
        samples = partial(warehouse.rl_scores, snapshot, run_id)
        return reads.values.value_curves(connection, run_id, optimizer, penalty, samples)


def cube(snapshot: Snapshot, run_id: str, curves: ValueCurves) -> ScoreCube:
    """The RM-test scores of the reward models that the curves are of."""
    whole = warehouse.score_cube(snapshot, run_id)
    return whole if whole.reward_models == curves.reward_models else whole.of_reward_models(curves.reward_models)


def replicates(curves: ValueCurves) -> int:
    """How many bootstrap replicates: 1,000, fewer for very many reward models, whose pairs are many."""
    return 1000 if len(curves.reward_models) <= MOST_FOR_ALL_REPLICATES else 200


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def spread(snapshot: Snapshot, run_id: str, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Standard deviation within prompts of these reward models' scores under the initial policy."""
    return spread_within_prompts(warehouse.rl_scores(snapshot, run_id).of_reward_models(names).scores_MPR)


@st.cache_resource(max_entries=128, show_spinner="Resampling …")
def ndr(
    snapshot: Snapshot,
    run_id: str,
    optimizer: str,
    penalty: float | None,
    golden: str | None = None,
    proxy: str | None = None,
    categories: Categories = (),
) -> NdrCurve:
    """NDR along the strengths."""
    curves = value_curves(snapshot, run_id, optimizer, penalty)
    return ndr_curve(curves, golden=golden, proxy=proxy, rl_categories=categories, replicates=replicates(curves))


@st.cache_resource(max_entries=128, show_spinner="Resampling …")
def gains(
    snapshot: Snapshot,
    run_id: str,
    optimizer: str,
    penalty: float | None,
    golden: str | None,
    proxy: str | None,
    categories: Categories,
) -> GainCurves:
    """Golden and proxy reward along the strengths."""
    curves = value_curves(snapshot, run_id, optimizer, penalty)
    return gain_curves(
        curves,
        spread(snapshot, run_id, curves.reward_models),
        golden=golden,
        proxy=proxy,
        rl_categories=categories,
        replicates=replicates(curves),
    )


@st.cache_resource(max_entries=32, show_spinner="Resampling …")
def degrees(
    snapshot: Snapshot, run_id: str, optimizer: str, penalty: float | None, categories: Categories
) -> DegreeMap:
    """γ of all pairs."""
    curves = value_curves(snapshot, run_id, optimizer, penalty)
    return degree_map(curves, rl_categories=categories, replicates=replicates(curves))


@st.cache_resource(max_entries=32, show_spinner="Resampling …")
def goodhart(
    snapshot: Snapshot, run_id: str, optimizer: str, penalty: float | None, categories: Categories
) -> GoodhartSlopes:
    """Slopes of golden on proxy gain against what accuracy predicts."""
    curves = value_curves(snapshot, run_id, optimizer, penalty)
    return goodhart_slopes(
        cube(snapshot, run_id, curves),
        curves.values,
        spread(snapshot, run_id, curves.reward_models),
        rl_categories=categories or None,
        replicates=replicates(curves),
    )


@st.cache_resource(max_entries=32, show_spinner="Resampling …")
def lengths(
    snapshot: Snapshot, run_id: str, optimizer: str, penalty: float | None, categories: Categories
) -> LengthDrift | None:
    """Mean tokens of an optimiser's policies at its strengths; None where its responses were not kept."""
    curves = value_curves(snapshot, run_id, optimizer, penalty)
    chosen = curves.prompts_in(categories)
    tokens_SMQ = _tokens(snapshot, run_id, optimizer, penalty)
    if tokens_SMQ is None:
        return None
    return length_drift(tokens_SMQ[:, :, chosen], replicates=replicates(curves))


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def _tokens(snapshot: Snapshot, run_id: str, optimizer: str, penalty: float | None) -> NDArray[np.float64] | None:
    """Mean tokens `[S, M, Q]` on all prompts, whichever are chosen of them."""
    curves = value_curves(snapshot, run_id, optimizer, penalty)
    samples = warehouse.rl_scores(snapshot, run_id).of_reward_models(curves.reward_models)
    with warehouse.cursor(snapshot) as connection:
        return reads.responses.tokens_of_curves(connection, run_id, curves, samples, penalty)


@st.cache_resource(max_entries=16, show_spinner=False)
def hacked(snapshot: Snapshot, run_id: str, categories: Categories) -> tuple[WorstPicks, ScoreCube]:
    """Where a proxy's favourite among the samples is the golden's worst, and the scores it is read from."""
    samples = warehouse.rl_scores(snapshot, run_id)
    samples = samples.of_prompts(prompts_in(samples.categories, samples.subsets, categories or None, None, "RL-test"))
    return worst_picks(samples.scores_MPR), samples
