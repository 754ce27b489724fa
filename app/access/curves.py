"""Cached results about an optimiser's policies at all their strengths, which several pages share."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.access import warehouse
from app.access.pool import heavy
from app.access.warehouse import Snapshot
from warehouse import reads
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube, spread_within_prompts
from warehouse.metrics.policies.worst_picks import WorstPicks, worst_picks
from warehouse.metrics.test_set import prompts_in
from warehouse.reads.responses import Lengths
from warehouse.stats.bootstrap import Estimate
from warehouse.study.curves.gain_curves import DegreeMap, GainCurves, degree_map, gain_curves
from warehouse.study.curves.length_features import PolicyFeatures
from warehouse.study.curves.length_share import length_share
from warehouse.study.curves.strength_curves import LengthDrift, NdrCurve, length_drift, ndr_curve
from warehouse.study.curves.value_curves import ValueCurves
from warehouse.study.goodhart import GoodhartSlopes, goodhart_slopes

MOST_FOR_ALL_REPLICATES = 20
_KEPT = 16

Categories = tuple[str, ...]


class Series(NamedTuple):
    """One optimiser's policies at all strengths: the key of the caches below. Without `penalty`, the default one."""

    snapshot: Snapshot
    run_id: str
    optimizer: str
    penalty: float | None = None


_strengths = warehouse.cached(reads.policies.strengths)


def optimizers(snapshot: Snapshot, run_id: str) -> tuple[str, ...]:
    """The optimisers of a run."""
    return tuple(_strengths(snapshot, run_id)["optimizer"].unique().sort())


kl_coefficients = warehouse.cached(reads.policies.kl_coefficients)
"""The KL penalties that an optimiser was used with, the default one first; none for one without penalties."""

stopped_ppo = warehouse.cached(reads.policies.stopped_ppo)
"""PPO runs that were stopped, and why."""

ppo_curves = warehouse.cached(reads.policies.ppo_curves)
"""What was recorded while PPO optimised the policies."""


def used_penalty(series: Series) -> float | None:
    """The KL penalty of the series' policies: the default one if it names none; None for an optimiser without any."""
    penalties = kl_coefficients(series.snapshot, series.run_id, series.optimizer)
    return series.penalty if series.penalty is not None or not penalties else penalties[0]


@st.cache_resource(max_entries=_KEPT, show_spinner="Reading the policy values …")
def value_curves(series: Series) -> ValueCurves:
    """Values of the policies at all strengths. Raises InvalidChoice where there are none to compare."""
    snapshot, run_id, optimizer, penalty = series
    with warehouse.cursor(snapshot) as connection:
        samples = partial(warehouse.rl_scores, snapshot, run_id)
        return reads.values.value_curves(connection, run_id, optimizer, penalty, samples=samples)


def cube(series: Series) -> ScoreCube:
    """The RM-test scores of the reward models that the series has curves of."""
    whole, names = warehouse.score_cube(series.snapshot, series.run_id), value_curves(series).reward_models
    return whole if whole.reward_models == names else whole.of_reward_models(names)


def replicates(curves: ValueCurves) -> int:
    """The number of bootstrap replicates: 1,000, fewer for very many reward models, which have very many pairs."""
    return 1000 if len(curves.reward_models) <= MOST_FOR_ALL_REPLICATES else 200


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def _spread(snapshot: Snapshot, run_id: str, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Standard deviation `[M]` within prompts of these reward models' scores under the initial policy."""
    return spread_within_prompts(warehouse.rl_scores(snapshot, run_id).of_reward_models(names))


@heavy(128)
def ndr(series: Series, golden: str | None = None, proxy: str | None = None, categories: Categories = ()) -> NdrCurve:
    """NDR along the strengths."""
    curves = value_curves(series)
    return ndr_curve(curves, golden=golden, proxy=proxy, rl_categories=categories, replicates=replicates(curves))


@heavy(128)
def gains(series: Series, golden: str | None, proxy: str | None, categories: Categories) -> GainCurves:
    """Golden and proxy reward along the strengths."""
    curves = value_curves(series)
    return gain_curves(
        curves,
        _spread(series.snapshot, series.run_id, curves.reward_models),
        golden=golden,
        proxy=proxy,
        rl_categories=categories,
        replicates=replicates(curves),
    )


@heavy(128)
def left_over(
    series: Series, golden: str | None, proxy: str | None, categories: Categories
) -> tuple[Estimate, ...] | None:
    """The golden reward of `gains` that length and finishing do not explain; None where they are not known."""
    curves, features = value_curves(series), _features(series)
    if features is None:
        return None
    try:
        explained = length_share(
            curves,
            features,
            _spread(series.snapshot, series.run_id, curves.reward_models),
            golden=golden,
            proxy=proxy,
            rl_categories=categories,
            only_clear=False,
            replicates=replicates(curves),
        )
    except InvalidChoice:  # no prompt of these categories has two responses
        return None
    return tuple(at.left for at in explained.at)


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def _features(series: Series) -> PolicyFeatures | None:
    """Length and finishing of the initial policy's responses and of the policies; None if they were not recorded."""
    snapshot, run_id, _, penalty = series
    with warehouse.cursor(snapshot) as connection:
        return reads.endings.features_of_curves(connection, run_id, value_curves(series), _samples(series), penalty)


@heavy(32)
def degrees(series: Series, categories: Categories) -> DegreeMap:
    """γ, the degree of overoptimisation, of all pairs."""
    curves = value_curves(series)
    return degree_map(curves, rl_categories=categories, replicates=replicates(curves))


@heavy(32)
def goodhart(series: Series, categories: Categories) -> GoodhartSlopes:
    """Slopes of golden on proxy gain against what accuracy predicts."""
    curves = value_curves(series)
    return goodhart_slopes(
        cube(series),
        curves.values,
        _spread(series.snapshot, series.run_id, curves.reward_models),
        rl_categories=categories or None,
        replicates=replicates(curves),
    )


@heavy(32)
def lengths(series: Series, categories: Categories) -> LengthDrift | None:
    """Mean length of the policies' responses at each strength; None if the responses were not stored."""
    curves, mean = value_curves(series), mean_lengths(series)
    if mean is None:
        return None
    return length_drift(mean.values[:, :, curves.prompts_in(categories)], replicates=replicates(curves))


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def mean_lengths(series: Series) -> Lengths | None:
    """Mean lengths `[S, M, Q]` on all prompts, and their unit."""
    snapshot, run_id, _, penalty = series
    with warehouse.cursor(snapshot) as connection:
        return reads.responses.lengths_of_curves(connection, run_id, value_curves(series), _samples(series), penalty)


def _samples(series: Series) -> ScoreCube:
    """Scores of the initial policy's responses to the RL-test prompts, of the curves' reward models."""
    return warehouse.rl_scores(series.snapshot, series.run_id).of_reward_models(value_curves(series).reward_models)


@st.cache_resource(max_entries=16, show_spinner=False)
def hacked(snapshot: Snapshot, run_id: str, categories: Categories) -> tuple[WorstPicks, ScoreCube]:
    """The prompts on which a proxy's favourite of the samples is the golden's worst, and the scores of the samples."""
    samples = warehouse.rl_scores(snapshot, run_id)
    chosen = prompts_in(samples, "RL-test", categories=categories or None)
    samples = samples.of_prompts(chosen)
    return worst_picks(samples), samples
