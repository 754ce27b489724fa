"""The comparison of two reward models on the recorded run: half of it predicts the width of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from warehouse import reads, store
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import best_of_n_policies
from warehouse.reads.two_models import compared_strength, policy_draws
from warehouse.store import Connection
from warehouse.study.power import Draws, Terms, resolution
from warehouse.study.two_models import best_of_n_draws, measure_draws

RUN = "recorded"
NAMES = ("depth-1", "flip-0.10", "flip-0.20", "flip-0.40", "size-0.10")  # against which all algorithms trained
PAIRS = list(combinations(NAMES, 2))


@pytest.fixture(scope="module")
def recorded(recorded_home: Path) -> Iterator[Connection]:
    with store.open_read_only(recorded_home) as connection:
        yield connection


def draws_of(recorded: Connection, kind: str, first: str, second: str) -> Draws:
    if kind == "accuracy":
        return measure_draws(reads.scores.score_cube(recorded, RUN), first, second)
    return policy_draws(recorded, RUN, first, second, optimizer=kind, strength=16.0 if kind == "ppo" else 8.0)


def halved(draws: Draws, seed: int) -> Draws:
    """The same on a random half of the prompts."""
    prompts = draws.terms(np.arange(draws.responses)).numerator_GP.shape[1]
    half = np.random.default_rng(seed).permutation(prompts)[: prompts // 2]
    return replace(draws, terms=lambda columns: Terms(*(terms_GP[:, half] for terms_GP in draws.terms(columns))))


@pytest.mark.deep
@pytest.mark.parametrize("kind", ["accuracy", "bon", "ppo"])
def test_half_of_the_prompts_predict_the_width_of_all(recorded: Connection, kind: str) -> None:
    ratios = []
    for pair in PAIRS:
        draws = draws_of(recorded, kind, *pair)
        whole, halves = resolution(draws), [resolution(halved(draws, seed)) for seed in range(12)]
        error = np.sqrt(np.mean([half.standard_error**2 for half in halves]))  # a few prompts may have half of it
        ratios.append(error * (halves[0].prompts / whole.prompts) ** 0.5 / whole.standard_error)
    assert np.mean(np.abs(np.log(ratios))) < 0.1
    assert np.quantile(np.abs(np.log(ratios)), 0.8) < 0.15


def test_half_of_the_samples_predict_the_width_of_all(recorded: Connection) -> None:
    cube = reads.scores.initial_scores(recorded, RUN, "rl_test")
    ratios = []
    for first, second in PAIRS:
        whole, half = (
            resolution(
                best_of_n_draws(
                    best_of_n_policies(samples_MQN, 8, reward_models=cube.reward_models),
                    samples_MQN,
                    first,
                    second,
                    n=8,
                )
            )
            for samples_MQN in (cube.scores_MPR[:, :, :32], cube.scores_MPR[:, :, :16])
        )
        predicted, variance = half.spread.at(32), whole.spread.at(32)
        assert predicted is not None
        assert variance is not None
        ratios.append((predicted / variance) ** 0.5)
    assert np.mean(np.abs(np.log(ratios))) < 0.15


def test_the_strength_to_compare_leaves_twice_as_many_samples(recorded: Connection) -> None:
    assert compared_strength(recorded, RUN, "bon") == 32.0
    assert compared_strength(recorded, RUN, "ppo") == 16.0
    with pytest.raises(InvalidChoice, match="no policies of optimiser 'grpo'; it has: bon, ppo, rloo, sft, tilted"):
        compared_strength(recorded, RUN, "grpo")
