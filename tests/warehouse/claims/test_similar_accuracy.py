"""`claims/similar_accuracy.py` on studies whose reward models lose alike, or do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.warehouse.claims.studies import of_noise, optimised, study, valued, verdicts
from tests.warehouse.study.simulate import normal_scores
from warehouse.claims.claim import SHARED, Study
from warehouse.claims.policies.optimising import goodhart_slope
from warehouse.claims.similar_accuracy import SIMILAR, SimilarRegret, regret_of_similar, similar_but_different
from warehouse.metrics.preparation import prepare
from warehouse.study import evaluate

OPEN = "cannot be told at this size"


def test_reward_models_of_one_noise_lose_alike_and_those_that_turn_bad_on_other_prompts_do_not() -> None:
    alike = similar_but_different(study(of_noise(np.full(8, 0.7), P=600, Q=600)))
    assert verdicts(alike) == ["refuted"]
    different = similar_but_different(study(of_noise(np.full(8, 0.7), np.geomspace(0.2, 6.0, 8), P=600, Q=600)))
    assert verdicts(different) == ["holds"]
    small = similar_but_different(study(of_noise(np.full(5, 1.0), P=30, Q=12)))
    assert set(verdicts(small)) <= {OPEN, "undefined"}


def test_the_typical_difference_is_that_of_the_truth_without_the_noise_of_the_prompts() -> None:
    """NDR of ±0.2 by turns, so that half of all pairs of proxies differ by 0.4: a root mean square of 0.4·√(h)."""
    M = 8
    scores = normal_scores(np.random.default_rng(1), np.full(M, 0.5), 300, 6)
    ndr = np.where(np.arange(M) % 2 == 0, 0.3, 0.7)[None, :].repeat(M, axis=0)
    np.fill_diagonal(ndr, 1.0)
    found = similar_but_different(study(valued(scores, ndr, noise=0.5)))
    # of a golden's seven proxies, four are of the other kind: 12 of 21 pairs differ; the window takes nearly all
    assert found.findings[0].estimate.value is not None
    assert abs(found.findings[0].estimate.value - 0.4 * np.sqrt(12 / 21)) < 0.03
    assert verdicts(found) == ["holds"]


NOISE = np.geomspace(0.3, 1.5, 14)
"""Of normal scores, whose accuracies are known: ½ + arcsin(ρ)/π, with ρ the correlation of two reward models."""


def true_accuracy() -> np.ndarray:
    """Every proxy's accuracy under every golden on unlimited prompts, `[M, M]`."""
    return 0.5 + np.arcsin(1 / np.sqrt((1 + NOISE[:, None] ** 2) * (1 + NOISE**2))) / np.pi


def true_difference(ndr: np.ndarray) -> float:
    """Root mean square of the differences in NDR of proxies whose true accuracies are within the window."""
    accuracy, squares = true_accuracy(), []
    for g in range(len(NOISE)):
        proxies = np.delete(np.arange(len(NOISE)), g)
        first, second = (proxies[side] for side in np.triu_indices(len(proxies), 1))
        alike = np.abs(accuracy[g, first] - accuracy[g, second]) <= SIMILAR
        squares += ((ndr[g, first] - ndr[g, second])[alike] ** 2).tolist()
    return float(np.sqrt(np.mean(squares)))


def measured_again(ndr: np.ndarray, P: int, studies: int = 24) -> list[SimilarRegret]:
    """Studies of the same reward models with other prompts: a few RM-test prompts with six responses each."""
    results = []
    for seed in range(studies):
        one = valued(normal_scores(np.random.default_rng((P, seed)), NOISE, P, 6), ndr)
        accuracy = prepare(one.cube)
        evaluation = evaluate(one.cube, one.values, replicates=60, prepared=accuracy)
        results.append(regret_of_similar(evaluation, accuracy, one.values, SIMILAR, replicates=60))
    return results


def mean_difference(results: list[SimilarRegret]) -> float:
    return float(np.sqrt(np.mean([(similar.difference.value or 0.0) ** 2 for similar in results])))


def of_true_accuracy(ndr: np.ndarray) -> np.ndarray:
    """With the golden's own on the diagonal."""
    np.fill_diagonal(ndr, 1.0)
    return ndr


@pytest.mark.parametrize(("P", "off"), [(48, 0.012), (128, 0.005)])
def test_where_true_accuracy_decides_everything_few_prompts_do_not_exaggerate_the_difference(
    P: int, off: float
) -> None:
    """NDR is a straight line of true accuracy. Picked as measured, pairs are 0.073 apart with 48 prompts, not 0.039."""
    ndr = of_true_accuracy(3 * (true_accuracy() - 0.55))
    truth = true_difference(ndr)
    results = measured_again(ndr, P)
    assert mean_difference(results) == pytest.approx(truth, abs=off)
    line = [similar.expected for similar in results if similar.expected is not None]
    assert np.mean(line) == pytest.approx(truth, abs=0.006)
    assert np.mean([similar.alike for similar in results]) == pytest.approx(266, rel=0.1)


def test_where_true_accuracy_decides_everything_on_a_steep_curve_the_difference_is_that_of_the_curve() -> None:
    ndr = of_true_accuracy(1 / (1 + np.exp(-25 * (true_accuracy() - 0.72))))
    assert mean_difference(measured_again(ndr, 128)) == pytest.approx(true_difference(ndr), abs=0.008)


def test_what_true_accuracy_does_not_decide_is_found() -> None:
    """Every reward model's policies keep a tenth more or less than its accuracy says."""
    own = np.where(np.random.default_rng(5).permutation(len(NOISE)) % 2 == 0, 0.1, -0.1)
    ndr = of_true_accuracy(3 * (true_accuracy() - 0.55) + own[None, :])
    results = measured_again(ndr, 48)
    assert mean_difference(results) == pytest.approx(true_difference(ndr), abs=0.01)
    assert np.mean([similar.expected or 0.0 for similar in results]) < 0.5 * true_difference(ndr)


def test_the_same_prompts_on_both_sides_decide_neither_this_claim_nor_goodharts() -> None:
    rng = np.random.default_rng(0)
    noise = np.linspace(0.2, 2.0, 8)
    policies = optimised(normal_scores(rng, noise, 60, 4), normal_scores(rng, noise, 60, 16))
    shared = replace(policies, cube=replace(policies.cube, prompts=policies.values.prompts))
    for claim in (similar_but_different, goodhart_slope):
        apart, together = (claim(Study({"bon": each}, {}, replicates=100)) for each in (policies, shared))
        assert SHARED in together.notes
        assert SHARED not in apart.notes
        (finding,) = together.findings
        assert finding.verdict == OPEN
        assert finding.estimate.value == apart.findings[0].estimate.value
