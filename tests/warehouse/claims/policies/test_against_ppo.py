"""`policies/against_ppo.py`: best-of-n valued as PPO is, where PPO's policies are in truth best-of-n's, or others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.warehouse.claims.studies import of_noise, optimised, policy_values, study, verdicts
from tests.warehouse.study.simulate import normal_scores
from warehouse.claims.claim import Optimised, Study, tau_difference
from warehouse.claims.policies.against_ppo import better_for_best_of_n
from warehouse.claims.verdict import above
from warehouse.metrics.policies.best_of_n import best_of_n_picks

GROWING = np.linspace(0.2, 3.0, 8)
OPEN = "cannot be told at this size"


def sampled(
    noise_M: np.ndarray,
    ppo_noise_M: np.ndarray,
    *,
    P: int = 128,
    Q: int = 128,
    responses: int = 2,
    n: int = 16,
    seed: int = 0,
) -> Study:
    """PPO's policies pick the best of n fresh samples, by reward models of another noise, and answer a few times."""
    rng = np.random.default_rng((5, seed))
    scores = normal_scores(rng, noise_M, P, 6)
    bon = optimised(scores, normal_scores(rng, noise_M, Q, 32))
    fresh = normal_scores(rng, ppo_noise_M, Q, n * responses)
    names = bon.curves.reward_models
    picked_MMQ = best_of_n_picks(fresh, n, responses, reward_models=names, seed=seed)
    values = policy_values(np.zeros((len(names), Q)), picked_MMQ)  # scores are around 0, the initial policy's value
    curves = replace(bon.curves, optimizer="ppo", strengths=(8.0,), values=(values,), kl_SM=bon.curves.kl_SM[-1:])
    return study(bon, replace(bon, curves=curves, samples=None, responses=responses))


def test_of_equal_truth_the_noise_of_ppos_few_responses_decides_nothing() -> None:
    """PPO's policies are best-of-16's in truth; valued by two responses, they only look harder to predict."""
    false_by_expectation, false, differences = 0, 0, []
    for seed in range(16):
        noise = np.exp(np.random.default_rng((6, seed)).uniform(np.log(0.5), np.log(1.2), 20))
        both = sampled(noise, noise, P=300, Q=40, seed=seed)
        (finding,) = better_for_best_of_n(both).findings
        false += finding.verdict == "holds"
        differences.append(finding.estimate.value)
        (bon,), (ppo,) = (both.measured(policies) for policies in both.optimised.values())
        false_by_expectation += above(tau_difference(bon, ppo)) == "holds"
    assert false <= 2  # three or more of 16 come out once in 20 if each does so with 5 %
    assert abs(np.mean(differences)) < 0.03
    assert false_by_expectation >= 6


def test_a_real_difference_is_found_in_spite_of_the_noise() -> None:
    noise = np.geomspace(0.3, 2.5, 14)
    claims = [
        better_for_best_of_n(sampled(noise, noise[np.random.default_rng(seed).permutation(14)], seed=seed))
        for seed in range(6)
    ]
    assert [verdicts(claim) for claim in claims].count(["holds"]) >= 5


def test_best_of_n_is_taken_where_it_gains_as_much_as_ppo() -> None:
    noise = np.geomspace(0.3, 2.5, 10)
    for n in (2, 4, 7):
        claim = better_for_best_of_n(sampled(noise, noise, P=40, Q=1500, n=n))
        assert f"At n = {n}," in claim.notes[0]
        assert claim.tables[0].rows[0][:2] == (f"best-of-{n}", 2)
        assert claim.tables[0].rows[1][:2] == ("best-of-16", "all samples")


def test_of_prompts_with_more_samples_than_others_the_first_ones_count() -> None:
    noise = np.geomspace(0.3, 2.5, 8)
    both = sampled(noise, noise, P=40, Q=100)
    samples = both.optimised["bon"].samples
    assert samples is not None
    more = np.concatenate([samples.scores_MPR, normal_scores(np.random.default_rng(8), noise, 100, 20)], axis=2)
    more[:, 10:, 32:] = 0.0
    ragged = replace(samples, scores_MPR=more, responses_P=np.array([52] * 10 + [32] * 90))
    with_more = {**both.optimised, "bon": replace(both.optimised["bon"], samples=ragged)}
    assert better_for_best_of_n(replace(both, optimised=with_more)) == better_for_best_of_n(both)


def as_ppo(policies: Optimised) -> Optimised:
    """The same policies under PPO's name."""
    return replace(policies, curves=replace(policies.curves, optimizer="ppo"))


def test_best_of_n_is_predicted_better_where_the_other_optimizer_follows_other_noise() -> None:
    same = of_noise(GROWING, P=300, Q=300)
    other = of_noise(GROWING, GROWING[::-1], P=300, Q=300, optimizer="ppo")
    claim = better_for_best_of_n(study(same, other))
    assert verdicts(claim) == ["holds"]
    assert "valued by its expectation" in claim.notes[0]
    assert verdicts(better_for_best_of_n(study(same, as_ppo(same)))) == ["refuted"]
    tiny = (of_noise(np.full(5, 1.0), P=8, Q=8, optimizer=name, seed=seed) for seed, name in enumerate(("bon", "ppo")))
    assert verdicts(better_for_best_of_n(study(*tiny))) == [OPEN]
    assert better_for_best_of_n(study(same)).missing
    few = better_for_best_of_n(study(of_noise([0.3, 1.0]), of_noise([0.3, 1.0], optimizer="ppo")))
    assert verdicts(few) == ["undefined"]
    assert "takes three" in few.findings[0].why


def test_reward_models_that_ppo_lost_are_left_out_of_both() -> None:
    both = sampled(GROWING, GROWING, P=40)
    ppo = both.optimised["ppo"]
    names = ppo.curves.reward_models[1:7]
    part = replace(
        ppo,
        curves=ppo.curves.of_reward_models(names),
        cube=ppo.cube.of_reward_models(names),
        spread_M=ppo.spread_M[1:7],
    )
    claim = better_for_best_of_n(replace(both, optimised={**both.optimised, "ppo": part}))
    assert claim.tables[0].title == "Of 6 reward models"
    assert [row[4] for row in claim.tables[0].rows] == [30, 30, 30]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_picks_the_same_samples(seed: int) -> None:
    both = replace(sampled(GROWING, GROWING, P=40), seed=seed)
    assert better_for_best_of_n(both) == better_for_best_of_n(both)
