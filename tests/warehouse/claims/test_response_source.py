"""`claims/response_source.py` on studies whose sources are known to measure alike, or otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.warehouse.claims.studies import REPLICATES, of_noise, optimised, study, verdicts
from tests.warehouse.study.simulate import cube_of, normal_scores
from warehouse.claims.response_source import response_source
from warehouse.stats.bootstrap import Estimate
from warehouse.study import ScoreCube, evaluate

GROWING = np.linspace(0.2, 3.0, 8)


def other(noise: np.ndarray, *, P: int = 300, R: int = 8, seed: int = 1) -> ScoreCube:
    return cube_of(normal_scores(np.random.default_rng(seed), noise, P, R))


def test_a_source_that_turns_the_reward_models_round_matters_and_the_initial_policys_own_scores_do_not() -> None:
    one = of_noise(GROWING, P=300, Q=300)
    turned = response_source(study(one, sources={"turned": other(GROWING[::-1])}))
    assert verdicts(turned) == ["holds"]
    assert (turned.findings[0].estimate.value or 0) < -0.5
    same = response_source(study(one, sources={"initial-t0.50": one.cube, "initial-t1.50": one.cube}))
    assert verdicts(same) == ["refuted"]
    assert same.findings[0].estimate.value == 0
    assert "2 of 2 sources" in same.findings[0].figure
    assert [row[1] for row in same.tables[0].rows] == ["initial-t0.50", "initial-t1.50"]


def test_a_better_source_matters_too() -> None:
    """The initial policy's responses are hard to tell apart, as is the noise of a few of them."""
    rng = np.random.default_rng(2)
    one = optimised(normal_scores(rng, np.full(8, 4.0), 300, 4), normal_scores(rng, GROWING, 300, 16))
    claim = response_source(study(one, sources={"other": other(GROWING)}))
    assert verdicts(claim) == ["holds"]
    assert (claim.findings[0].estimate.value or 0) > 0.3


def test_both_sides_have_the_same_prompts_and_as_many_responses() -> None:
    one = of_noise(GROWING, P=60, Q=60, R=3)
    cube = other(GROWING, P=100, R=7)
    fewer = cube.of_prompts(np.arange(50, 100))
    claim = response_source(study(one, sources={"ppo": fewer}))
    (row,) = claim.tables[0].rows
    assert row[1:4] == ("ppo", 10, 3)
    chosen = np.arange(50, 60)
    initial = evaluate(one.cube.of_prompts(chosen), one.values, replicates=REPLICATES)
    spaced = replace(fewer, scores_MPR=fewer.scores_MPR[:, :, [0, 3, 6]]).of_prompts(np.arange(10))
    of_source = evaluate(spaced, one.values, replicates=REPLICATES)
    for cell, evaluation in ((row[4], initial), (row[5], of_source)):
        assert isinstance(cell, Estimate)
        assert cell.value == pytest.approx(evaluation.correlations["kendall"].value)


def test_a_run_without_other_sources_says_so() -> None:
    one = of_noise(GROWING, P=20, Q=20)
    assert "no other policy gave two responses" in response_source(study(one)).missing
    strangers = replace(one.cube, prompts=tuple(f"other-{p}" for p in range(20)))
    assert "no other source shares 2 prompts" in response_source(study(one, sources={"a": strangers})).missing
    assert verdicts(response_source(study(of_noise([0.3, 1.0]), sources={"a": of_noise([0.3, 1.0]).cube}))) == [
        "undefined"
    ]
