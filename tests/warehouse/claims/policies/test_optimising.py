"""`claims/policies/optimising.py` on studies with a known answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.warehouse.claims.studies import of_noise, optimised, policy_values, study, verdicts
from tests.warehouse.study.curves.simulated import lawful
from tests.warehouse.study.simulate import cube_of, normal_scores
from warehouse.claims.claim import Optimised
from warehouse.claims.policies.optimising import goodhart_slope, kl_penalty, optimising_harder
from warehouse.study.curves.value_curves import ValueCurves

GROWING = np.linspace(0.2, 3.0, 8)
OPEN = "cannot be told at this size"


def test_normal_reward_models_are_on_goodharts_curve_and_those_with_a_tail_of_their_own_are_not() -> None:
    noise = np.linspace(0.3, 1.5, 5)
    normal = of_noise(noise, P=600, Q=600, seed=1)
    assert verdicts(goodhart_slope(study(normal)))[0] in ("holds", OPEN)
    rng = np.random.default_rng(9)
    scores, samples = (normal_scores(rng, noise, 600, size) for size in (8, 16))
    hacked = rng.random(samples.shape) < 0.03
    spoilt = np.where(hacked, 8.0, samples)
    assert verdicts(goodhart_slope(study(optimised(scores, spoilt)))) == ["refuted"]


def lawful_study(kl: tuple[float, ...]) -> Optimised:
    curves, _ = lawful("bon", kl)
    return Optimised(curves, cube_of(np.zeros((3, 4, 2))), None, np.ones(3))


def test_a_golden_reward_that_falls_has_peaked_and_loses_more() -> None:
    claim = optimising_harder(study(lawful_study((0.0, 1.0, 4.0, 9.0, 16.0))))
    assert [finding.about.split(": ")[1] for finding in claim.findings] == ["loses more", "golden reward peaks"]
    assert verdicts(claim)[0] == "holds"
    assert claim.findings[1].estimate.value is not None
    few = optimising_harder(study(lawful_study((0.0, 0.1, 0.2))))
    assert few.findings[1].verdict == "undefined"
    assert "three strengths" in few.findings[1].why


def test_more_steps_of_the_same_policy_lose_no_more() -> None:
    one = lawful_study((0.0, 1.0))
    twice = replace(
        one.curves, strengths=(1.0, 2.0), kl_SM=one.curves.kl_SM[[1, 1]], values=(one.curves.values[1],) * 2
    )
    assert verdicts(optimising_harder(study(replace(one, curves=twice))))[0] == "refuted"


def test_longer_responses_are_counted_against_the_initial_policys() -> None:
    one = of_noise(GROWING, P=20, Q=20)
    tokens = np.full((5, 8, 20), 30.0) + np.arange(5)[:, None, None]
    counted = optimising_harder(study(replace(one, tokens_SMQ=tokens, initial_tokens_Q=np.full(20, 29.0))))
    assert counted.tables[1].rows[0][-1].value == pytest.approx(5.0)  # type: ignore[union-attr]
    assert counted.tables[1].rows[0][1] == counted.findings[0].estimate
    assert counted.tables[1].rows[0][2] == "56 of 56"
    assert optimising_harder(study(one)).tables[1].rows[0][-1] == "not counted"


@pytest.mark.parametrize(("kept", "verdict"), [(0.9, "holds"), (0.5, "refuted"), (0.2, "refuted")])
def test_a_penalty_helps_if_the_policies_keep_more_of_the_gain(kept: float, verdict: str) -> None:
    rng = np.random.default_rng(0)
    M, Q = 6, 80
    values = []
    for share in (0.5, kept):
        ndr = np.where(np.eye(M, dtype=bool), 1.0, share)
        values.append(policy_values(np.zeros((M, Q)), ndr[..., None] + 0.01 * rng.standard_normal((M, M, Q))))
    swept = ValueCurves("ppo", (0.0, 0.2), np.array([[4.0] * M, [1.0] * M]), "k3", tuple(values))
    one = of_noise(np.linspace(0.3, 1.0, M), P=20, Q=20, optimizer="ppo")
    claim = kl_penalty(study(replace(one, penalised=swept, at_kl=swept, matched_kl=1.0)))
    assert verdicts(claim) == [verdict, verdict]
    assert [row[:2] for row in claim.tables[0].rows] == [("0", 4.0), ("0.2", 1.0)]
    assert kl_penalty(study(one)).missing == "no algorithm was run with more than one KL penalty"


def test_a_sweep_of_few_reward_models_shows_its_figures_and_decides_nothing() -> None:
    rng = np.random.default_rng(0)
    one = of_noise(np.linspace(0.3, 1.0, 6), P=20, Q=20, optimizer="ppo")
    for M, verdict in ((5, OPEN), (6, "holds")):
        ndr = [np.where(np.eye(M, dtype=bool), 1.0, share)[..., None] for share in (0.5, 0.9)]
        noise = 0.01 * rng.standard_normal((2, M, M, 80))
        values = tuple(policy_values(np.zeros((M, 80)), kept + some) for kept, some in zip(ndr, noise, strict=True))
        swept = ValueCurves("ppo", (0.0, 0.2), np.ones((2, M)), "k3", values)
        (finding,) = kl_penalty(study(replace(one, penalised=swept))).findings
        assert finding.verdict == verdict
        assert finding.estimate.low == pytest.approx(0.4, abs=0.05)
        assert finding.figure == f"change of mean NDR, {M * (M - 1)} of {M * (M - 1)} pairs"
        assert ("resampling 5 reward models" in finding.why) == (M < 6)
